"""LoRA: low-rank changes of a model's layers, in memory and in files."""
