"""Configurations of evaluations: protocols as YAML files."""
