"""Keeping an installation going: supervisor, schedules, backup, the gauges of the work."""
