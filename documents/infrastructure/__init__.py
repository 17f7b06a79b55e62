"""Access to the machine: storage, files, processes, locks, the ids of log lines."""
