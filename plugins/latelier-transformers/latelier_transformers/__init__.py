"""CLIP and T5 text conditioners for latelier, on the transformers library."""
