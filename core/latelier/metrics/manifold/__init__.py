"""The manifold of a set of features: balls around each, to its nearest neighbours."""
