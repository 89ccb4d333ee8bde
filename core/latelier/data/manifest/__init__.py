"""Manifests: the one form of every data set on disk, one record for each picture."""
