"""Deletes what a test has stored, where no transaction takes it back."""

from django.core.management.color import no_style
from django.db import connection

# Rows that migrations make.
LASTING_TABLES = {"django_content_type", "auth_permission", "django_migrations"}


def delete_rows():
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [name for name in names if name not in LASTING_TABLES]
    statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=False, allow_cascade=False)
    connection.ops.execute_sql_flush(statements)
