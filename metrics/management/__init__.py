"""The commands of the metrics app."""
