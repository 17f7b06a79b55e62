"""The threshold dashboard: pages for staff, updated with htmx."""
