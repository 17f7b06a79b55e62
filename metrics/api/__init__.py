"""The API of the measuring."""
