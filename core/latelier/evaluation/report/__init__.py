"""The results of an evaluation as JSON, CSV and Markdown, beside those that the paper published."""
