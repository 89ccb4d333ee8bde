"""Names in the folder of a run."""

CONFIG = "config.yaml"
"""The configuration of the run, with all defaults."""

RESULT = "result"
"""The folder of the result; those of other averages have names that begin with it."""

SHEETS = "sheets"
"""The folder of sample sheets."""

BRANCHES = "branches"
"""The folder of ends that a prolonged run left."""
