"""The API of thresholds, mode and feedback."""
