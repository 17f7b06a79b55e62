"""The metrics that Prometheus scrapes, and its alerting rules."""
