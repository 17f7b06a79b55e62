"""Operating an installation: supervisor, schedules, backup, the metrics of tasks."""
