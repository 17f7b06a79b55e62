"""The command ``spms``: Django's commands on the installation that the services of this machine use."""

import argparse
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
INSTALLED_ENV_FILE = Path("/etc/spms/spms.env")
ENV_FILES = (INSTALLED_ENV_FILE, ROOT / ".env")
SERVICE_USER = "spms"
# Either of them names an installation: the services and containers have them in their environment.
NAMING_SETTINGS = ("SPMS_DATA_DIR", "DATABASE_URL")
WITHOUT_DATABASE = frozenset({"check", "collectstatic", "export_prometheus_rules", "help", "replay_traffic"})
USAGE = """spms [--env-file FILE] [--create] COMMAND …

The settings are those of --env-file; otherwise of the environment, if it has SPMS_DATA_DIR or DATABASE_URL;
otherwise of /etc/spms/spms.env; otherwise of the folder of the code. Run as root, a command works as the owner of the
data folder, so that the services can use what it writes. `spms help` lists the commands."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exits with one line if the settings or the installation are not as they should be."""
    options = _parse(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spms.settings")
    try:
        source = _read_settings(options.env_file)
        _become_owner(is_created=options.create)
        _run(options.command, source=source, is_created=options.create)
    except ImproperlyConfigured as error:
        sys.exit(f"spms: {error}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="spms", usage=USAGE, allow_abbrev=False)
    parser.add_argument("--env-file", type=Path, help="the file with the settings")
    parser.add_argument("--create", action="store_true", help="create a database or data folder if missing")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a command with its arguments")
    options = parser.parse_args(arguments)
    if not options.command:
        parser.error("name a command; `spms help` lists them")
    return options


def _read_settings(env_file: Path | None) -> str:
    """Read the settings into the environment, and return where they are from. Raises ImproperlyConfigured."""
    if env_file is None and any(name in os.environ for name in NAMING_SETTINGS):
        return "the environment"
    path = env_file or next((path for path in ENV_FILES if path.exists()), None)
    if path is None:
        return str(ROOT)
    try:
        # What is in the environment already stands, as in: SPMS_LOGS=json spms …
        with path.open() as stream:
            environ.Env.read_env(stream)
    except FileNotFoundError:
        raise ImproperlyConfigured(
            f"--env-file {path} does not exist; name the file with the settings."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "it is not UTF-8")
        raise ImproperlyConfigured(
            f"{path} cannot be read ({reason}). Run the command as root or as {SERVICE_USER}: sudo spms …"
        ) from None
    return str(path)


def _data_folder() -> Path:
    return ROOT / os.environ.get("SPMS_DATA_DIR", "var")


def _become_owner(*, is_created: bool) -> None:
    """As root, go on as the user whose data it is, so that the services can read and remove what is written."""
    folder = _data_folder()
    if os.geteuid() != 0:
        return
    if is_created and not folder.exists():
        _create_for_service(folder)
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        _become(owner.st_uid, owner.st_gid)


def _become(uid: int, gid: int) -> None:
    try:
        user = pwd.getpwuid(uid)
        os.environ["HOME"] = user.pw_dir
        os.initgroups(user.pw_name, user.pw_gid)
        gid = user.pw_gid
    except KeyError:  # an owner from another machine or container has no name here
        os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if not os.access(os.__file__, os.R_OK):
        raise ImproperlyConfigured(
            f"the owner of the data folder (uid {uid}) cannot read {os.__file__}: this Python belongs to another user."
            " Remove .venv and run deploy/setup.sh again"
        )


def _create_for_service(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:  # no service on this machine
        return
    if INSTALLED_ENV_FILE.exists():
        os.chown(folder, user.pw_uid, user.pw_gid)


def _run(command: list[str], *, source: str, is_created: bool) -> None:
    needs_database = command[0] not in WITHOUT_DATABASE and not {"--help", "-h", "--version"} & set(command)
    if needs_database and not is_created and not _data_folder().is_dir():
        raise ImproperlyConfigured(_missing("data folder", _data_folder(), source))
    from django.conf import settings
    from django.core.management import execute_from_command_line

    database = settings.DATABASES["default"]
    if needs_database:
        folder = settings.SPMS_DATA_DIR
        sys.stderr.write(
            f"spms: database {describe(database)}, data folder {folder} (settings of {source})\n"
        )
        if not is_created and _is_missing(database):
            raise ImproperlyConfigured(_missing("database", database["NAME"], source))
    execute_from_command_line(["spms", *command])


def describe(database: dict[str, Any]) -> str:
    """Return an entry of ``DATABASES`` as a URL without its password."""
    scheme = database["ENGINE"].rpartition(".")[2]
    if scheme == "sqlite3":
        return str(database["NAME"])
    user = f"{database['USER']}@" if database.get("USER") else ""
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"{scheme}://{user}{database.get('HOST') or 'localhost'}{port}/{database['NAME']}"


def _is_missing(database: dict[str, Any]) -> bool:
    """Return True for an SQLite file that Django would create, empty."""
    return database["ENGINE"].endswith("sqlite3") and not Path(database["NAME"]).is_file()


def _missing(what: str, path: object, source: str) -> str:
    return (
        f"the {what} {path} does not exist (settings of {source}). Name the settings of your installation with"
        " --env-file, or create a new installation: spms --create migrate"
    )


if __name__ == "__main__":
    main()
