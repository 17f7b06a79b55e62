"""Imports: projects and documents from CSV or XLSX, validated row by row, then written all or nothing."""
