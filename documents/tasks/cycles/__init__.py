"""A new cycle of reports: a report for every active project, and one letter to each of their people."""
