"""The models that a server has, loaded when they are needed."""
