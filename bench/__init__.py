"""Speed and memory, measured on the running system; see docs/performance.md."""
