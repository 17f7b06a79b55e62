"""Exports: projects and documents as tables, and the PDFs of documents in one ZIP; a task type."""
