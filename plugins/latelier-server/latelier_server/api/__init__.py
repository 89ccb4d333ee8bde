"""Our own API, below /api."""
