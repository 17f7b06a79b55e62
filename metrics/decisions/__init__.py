"""From figures to the mode: pure functions without database, clock or files."""
