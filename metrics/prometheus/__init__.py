"""What Prometheus scrapes, and its alerting rules."""
