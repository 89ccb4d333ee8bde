"""Loss functions: what an objective is, and what the objectives of denoisers share."""
