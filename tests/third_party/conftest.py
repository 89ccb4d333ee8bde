"""What is in here as a distribution is tested where it is installed."""

collect_ignore = ["latelier-compass"]
