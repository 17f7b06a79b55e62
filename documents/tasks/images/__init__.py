"""Uploaded images, made fit for print."""
