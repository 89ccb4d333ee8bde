"""Examination of installed plugins, each imported in a process of its own."""
