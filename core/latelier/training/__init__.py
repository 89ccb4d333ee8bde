"""Training of first stages, denoisers and adapters, in one loop that resumes bit for bit."""
