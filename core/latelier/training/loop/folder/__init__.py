"""The folder of a run: its configuration, and what becomes of it when the run is prolonged."""
