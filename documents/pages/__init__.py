"""Pages: for everybody, a thin layer over the public API; for staff, the tasks."""
