"""Pictures of invented places and measurements, painted from random numbers."""
