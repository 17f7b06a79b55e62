"""Scheduled reports: an export or a PDF by the clock, mailed to its receivers."""
