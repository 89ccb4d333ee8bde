"""The processes of a training on the machines of a cluster, by Ray Train."""
