"""Runs commands of ``manage.py`` in processes that are forked from one which has imported the libraries already.

Most of what a command costs is importing Django and its friends: a second of computing for each of hundreds.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# None of these reads the settings, or the environment, when it is imported.
LIBRARIES = (
    "asyncio",
    "django.contrib.admin.templatetags.base",
    "django.contrib.postgres.fields",
    "django.core.management.commands.migrate",
    "django.core.management.commands.shell",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.test.client",
    "django_stubs_ext",
    "jinja2",
    "nh3",
    "openpyxl",
    "PIL.Image",
    "pikepdf",
    "psutil",
    "pygments.formatters",
    "pygments.lexers",
    "requests",
    "uritemplate",
    "xlsxwriter",
    "yaml",
)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*LIBRARIES, __name__])


def run(arguments, environment):
    """Run ``manage.py`` with arguments and an environment; return what ``subprocess.run`` returns."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("out", "err")]
        process = _context.Process(target=_command, args=(arguments, environment, *map(str, streams)))
        process.start()
        process.join()
        printed = [path.read_text() for path in streams]
    code = process.exitcode or 0  # it has ended
    process.close()
    return subprocess.CompletedProcess(["manage.py", *arguments], code, *printed)


def _command(arguments, environment, out, err):
    """Be the command."""
    for path, descriptor in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = ["manage.py", *arguments]
    own = [str(ROOT), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*own, *(path for path in sys.path if path not in {"", *own})]
    try:
        runpy.run_path("manage.py", run_name="__main__")
    finally:
        atexit._run_exitfuncs()
