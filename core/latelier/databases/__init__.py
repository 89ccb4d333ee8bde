"""Databases of pictures: the words of entries, how a text mentions them, and folders of files."""
