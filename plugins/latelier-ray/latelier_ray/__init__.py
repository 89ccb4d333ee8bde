"""latelier on many processes and machines."""
