"""Options of commands: their texts, and the values that they hold."""
