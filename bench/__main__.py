"""``python -m bench``: measure and print the table."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import django

from bench import report

NAMES = (
    *(
        "bare",
        "cold",
        "unchanged",
        "parallel",
        "health",
        "memory",
        "annual",
        "parts",
        "engines",
        "queue",
        "status",
    ),
    *("switch", "dashboard", "start", "images", "exports", "cycles", "imports", "texts"),
)
LONG = (
    "soak",
    "users",
    "regret",
    "hosts",
    "prerender",
    "clusters",
    "year",
)  # measured only when they are named


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with an option."""

    def error(self, message: str) -> NoReturn:
        """End with that line."""
        self.exit(2, f"bench: {message} (--help lists the options)\n")


def main() -> None:
    """Run the chosen measurements and print the table."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all started processes end
    with tempfile.TemporaryDirectory(prefix="spms-bench-", ignore_cleanup_errors=True) as folder:
        _set_environment(folder)
        strangers = report.Strangers()
        rows = _measure(options, Path(folder))
    text = report.table(rows, report.machine(strangers))
    print(text)
    if options.write:
        report.write(text)


def _options() -> argparse.Namespace:
    parser = Parser(prog="python -m bench", description="Measure speed and memory on the running system.")
    names = f"{', '.join(NAMES)}; only when they are named: {', '.join(LONG)}"
    choices = (*NAMES, *LONG)
    parser.add_argument("--only", nargs="+", choices=choices, default=NAMES, metavar="NAME", help=names)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, no report of 400 pages")
    parser.add_argument("--soak-minutes", type=float, default=10.0, metavar="N", help="length of soak: 10")
    parser.add_argument("--users", type=int, default=500, metavar="N", help="people of users: 500")
    parser.add_argument("--users-seconds", type=float, default=120.0, metavar="N", help="length: 120")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    if options.write and (options.quick or set(options.only) != set(NAMES)):
        parser.error("--write is for the whole table: leave out --only and --quick")
    if options.write and not report.PAGE.exists():
        parser.error(f"--write needs {report.PAGE}, which is not there")
    return options


def _set_environment(folder: str) -> None:
    """Use a temporary database and folder whatever the environment or ``.env`` say, and defaults otherwise."""
    for name in [name for name in os.environ if name.startswith(("SPMS_", "GUNICORN_", "WEB_CONCURRENCY"))]:
        del os.environ[name]
    os.environ |= {
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{folder}/spms.sqlite3",
        "DEBUG": "false",
        "DJANGO_SETTINGS_MODULE": "spms.settings",
        "SPMS_API_THROTTLE_RATE": "off",  # the clients ask more often than a person
        "SPMS_EXPENSIVE_THROTTLE_RATE": "off",
        "SPMS_DATA_DIR": folder,
        "SPMS_MODE": "inline",
    }


def _measure(options: argparse.Namespace, folder: Path) -> list[report.Row]:
    django.setup()
    from django.core.management import call_command

    from bench import clients, data, measures, server

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    documents = data.make()
    rows: list[report.Row] = []
    with server.running(folder) as running:
        bench = clients.Bench(
            server=running,
            documents=documents,
            folder=folder,
            is_quick=options.quick,
            soak_seconds=60 * options.soak_minutes,
            users=options.users,
            users_seconds=options.users_seconds,
        )
        for name in options.only:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            rows.extend(measures.MEASURES[name](bench))
    return rows


if __name__ == "__main__":
    main()
