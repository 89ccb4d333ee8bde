"""The error of a cluster."""

from latelier.contracts.errors import LatelierError


class ClusterError(LatelierError, RuntimeError):
    """A cluster that cannot be reached, is too small, or lost what it computes with."""
