"""Backup and restore: one archive with the database, the files, and what proves that it is whole."""
