"""Measurements of the running system, and the routing mode that follows from them."""
