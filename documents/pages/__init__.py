"""The HTML pages: for all users a thin layer over the public API, for staff the tasks, cycles and imports."""
