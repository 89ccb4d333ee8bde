"""Samples that are streamed from URLs: they have no numbers, so a resumed run is not exact."""
