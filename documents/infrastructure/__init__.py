"""What touches the machine: storage, processes, locks, the ids of log lines."""
