"""Requests on their way through an engine."""
