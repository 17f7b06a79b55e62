"""The tick: read, assess, decide, set; and what is told of it."""
