"""The devices of a training: processes, precision, and blocks of layers."""
