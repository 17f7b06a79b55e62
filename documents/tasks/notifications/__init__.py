"""Notifications to people and systems when a task ends."""
