"""Schedules: functions from a number of steps and a noise process to a grid of sigmas."""
