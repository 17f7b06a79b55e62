"""Reporting cycles: a report for every active project, and one letter to each person in them."""
