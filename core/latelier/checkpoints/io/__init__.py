"""Reading and writing the files of models: weights, JSON and YAML."""
