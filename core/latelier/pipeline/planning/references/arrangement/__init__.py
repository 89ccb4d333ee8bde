"""The arrangement of objects: from the words of a prompt and a seed to boxes."""
