"""Converters of the usual forms of data sets into manifests."""
