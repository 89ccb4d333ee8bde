"""The checks of the conditioners' contract, one file for each subject."""
