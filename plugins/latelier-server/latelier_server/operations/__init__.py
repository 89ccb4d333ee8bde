"""Logs, metrics, health, and ending without losing a job."""
