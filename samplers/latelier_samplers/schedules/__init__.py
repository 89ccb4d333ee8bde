"""Schedules, one a file: functions from a number of steps and a noise process to sigmas."""
