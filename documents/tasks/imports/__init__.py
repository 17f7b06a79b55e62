"""Imports: projects and documents from CSV or XLSX, checked row by row, then all or nothing."""
