"""Where the figures come from: snapshots, sources, process slots, activity, feedback."""
