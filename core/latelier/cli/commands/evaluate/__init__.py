"""`latelier evaluate`: measure models and pictures."""
