"""Backup and restore: one archive with the database, the files and their SHA-256."""
