"""Telling people and systems of a task's end."""
