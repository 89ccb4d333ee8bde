"""Blind comparison of two models by a person: pairs of pictures on one page, and their votes."""
