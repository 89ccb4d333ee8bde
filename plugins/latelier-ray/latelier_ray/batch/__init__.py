"""Pictures of the rows of a table, by many workers."""
