"""The data sets of training, and their batches."""
