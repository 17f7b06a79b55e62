"""While a new version starts the old one still serves, on the new tables: a migration must not break it.

What the linters of others say depends on the SQL of the engine at hand, and SQLite's says little: there each added
column rebuilds its table. So the operations themselves are judged here.
"""

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now

OURS = {"documents", "metrics"}
# Unsafe, and accepted: each with its reason.
ACCEPTED = {
    "documents.0002_queue: AddField task.claimable_at": "before the first release",
    "documents.0002_queue: AddField task.worker": "before the first release",
    "documents.0004_switch: AddField task.routed_by": "before the first release",
    "documents.0005_tasks_seen: AddField cluster.processes": "before the first release",
}
ALWAYS = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.DeleteModel,
    migrations.AlterModelTable,
    migrations.AlterUniqueTogether,
    migrations.AddConstraint,
    migrations.RunSQL,
    migrations.RunPython,
)


def label(operation):
    model = getattr(operation, "model_name", None)
    part = getattr(operation, "name", "") or getattr(getattr(operation, "constraint", None), "name", "")
    return f"{type(operation).__name__} {'.'.join(filter(None, (model, part)))}".strip()


def is_written_by_the_old_version(field):
    """Say whether the old version, which does not know the column, can still insert rows."""
    return field.null or field.has_db_default() or field.many_to_many


def is_unsafe(app, operation, before, created):
    model = (getattr(operation, "model_name", None) or getattr(operation, "name", "") or "").lower()
    if model in created:  # nobody uses what this migration makes
        return False
    if isinstance(operation, migrations.AddField):
        return not is_written_by_the_old_version(operation.field)
    if isinstance(operation, migrations.AlterField):
        return changes_column(before.models[app, model].fields[operation.name], operation.field)
    return isinstance(operation, ALWAYS)


def changes_column(old, new):
    """Say whether a field differs in more than words, and in another way than allowing NULL."""
    parts = [field.deconstruct()[1:] for field in (old, new)]
    loose = {*models.Field.non_db_attrs, "null"} if new.null else set(models.Field.non_db_attrs)
    (kind, args, options), (new_kind, new_args, new_options) = parts
    differ = {key for key in {*options, *new_options} if options.get(key) != new_options.get(key)}
    return (kind, args) != (new_kind, new_args) or bool(differ - loose)


def flatten(operations):
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from flatten(operation.database_operations)
        else:
            yield operation


def unsafe_operations(app, migration, state):
    created, unsafe = set(), []
    for operation in flatten(migration.operations):
        if isinstance(operation, migrations.CreateModel):
            created.add(operation.name_lower)
        elif is_unsafe(app, operation, state, created):
            unsafe.append(label(operation))
        operation.state_forwards(app, state)
    return unsafe


def test_no_migration_breaks_the_version_before_it():
    loader = MigrationLoader(None)
    unsafe = set()
    for app, name in sorted(key for key in loader.disk_migrations if key[0] in OURS):
        before = loader.project_state((app, name), at_end=False)
        migration = loader.get_migration(app, name)
        unsafe |= {f"{app}.{name}: {operation}" for operation in unsafe_operations(app, migration, before)}
    assert unsafe - set(ACCEPTED) == set(), "see “Migrations” in CONTRIBUTING.md"
    assert set(ACCEPTED) - unsafe == set(), "no longer there: take it off the list"


def a_state():
    state = migrations.state.ProjectState()
    fields: list[tuple[str, models.Field[Any, Any]]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20)),
    ]
    migrations.CreateModel("Thing", fields).state_forwards("documents", state)
    return state


def a_migration(operation):
    return type("Migration", (migrations.Migration,), {"operations": [operation]})("0002_test", "documents")


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("thing", "name"),
        migrations.RenameField("thing", "name", "title"),
        migrations.RenameModel("Thing", "Item"),
        migrations.DeleteModel("Thing"),
        migrations.AddField("thing", "size", models.IntegerField(default=0)),
        migrations.AlterField("thing", "name", models.CharField(max_length=10)),
        migrations.AlterField("thing", "name", models.TextField()),
        migrations.AddConstraint("thing", models.UniqueConstraint(fields=("name",), name="one_name")),
        migrations.AddConstraint("thing", models.CheckConstraint(condition=~models.Q(name=""), name="named")),
        migrations.RunSQL("SELECT 1"),
        migrations.SeparateDatabaseAndState([migrations.RemoveField("thing", "name")]),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_breaks_the_old_version_is_found(operation):
    assert len(unsafe_operations("documents", a_migration(operation), a_state())) == 1


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("thing", "size", models.IntegerField(null=True)),
        migrations.AddField("thing", "size", models.IntegerField(default=0, db_default=0)),
        migrations.AddField("thing", "at", models.DateTimeField(db_default=Now())),
        migrations.AlterField(
            "thing", "name", models.CharField("title", max_length=20, choices=[("a", "A")])
        ),
        migrations.AlterField("thing", "name", models.CharField(max_length=20, null=True)),
        migrations.AddIndex("thing", models.Index(fields=("name",), name="by_name")),
        migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_the_old_version_does_not_notice_is_fine(operation):
    assert unsafe_operations("documents", a_migration(operation), a_state()) == []
