"""From HTML to PDF: the templates, the guarded child process, and what it may fetch.

This module imports nothing: the child process starts from here and must not load Django.
"""
