"""What the system measures about itself, and the flag that follows from it."""
