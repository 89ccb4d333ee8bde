"""Render and compare: how well a picture shows a drawing that is known."""
