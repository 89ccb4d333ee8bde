"""The checks of the samplers' contract, one file for each subject."""
