"""Feature networks: frozen networks by whose features pictures are compared."""
