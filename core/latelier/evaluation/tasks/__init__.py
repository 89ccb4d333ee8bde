"""The tasks of the paper: what pictures are made of, one file a task."""
