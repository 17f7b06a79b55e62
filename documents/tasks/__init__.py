"""What the background work is: a package for each kind of task."""
