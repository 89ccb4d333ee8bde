"""What a run shows: progress, its log, and sample sheets."""
