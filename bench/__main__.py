"""``python -m bench``: measure and print the table."""

import argparse
import os
import tempfile
from pathlib import Path

import django

from bench import report
from bench.server import running


def main() -> None:
    """Measure what was asked for and print the table."""
    names = ("bare", "cold", "unchanged", "parallel", "health", "memory")
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description="Measure speed and memory.")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spms-bench-") as folder:
        os.environ |= {
            "SPMS_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "spms.settings",
            "SPMS_MODE": "inline",
        }
        os.environ.pop("DATABASE_URL", None)
        rows = _measure(options.only, Path(folder), repetitions=3 if options.quick else 15)
    text = report.table(rows)
    print(text)
    if options.write:
        report.write(text)


def _measure(names: list[str], folder: Path, *, repetitions: int) -> list[report.Row]:
    django.setup()
    from django.core.management import call_command

    from bench import data, measures

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    documents = data.make()
    rows: list[report.Row] = []
    with running() as server:
        bench = measures.Bench(server=server, documents=documents, folder=folder, repetitions=repetitions)
        for name in names:
            print(f"measuring: {name}", flush=True)
            rows.extend(measures.MEASURES[name](bench))
    return rows


if __name__ == "__main__":
    main()
