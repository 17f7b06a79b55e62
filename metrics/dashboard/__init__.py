"""The threshold dashboard: pages for staff, served whole and kept alive with htmx."""
