"""Run the command blocks of the pages for operators in a root of bare Debian, in the order of the pages.

Part of prove-docs.sh, which puts it into namespaces of its own: ROOT is the root, CODE a clone of the project.
systemd does not run there, so `systemctl` is deploy/systemctl-by-hand, which starts the units' commands.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy import prove_site

PROJECT = Path(__file__).parent.parent
PAGES = ("deployment", "backup", "upgrading", "operations", "engines", "events")
BLOCK = re.compile(r"^```sh\n([\s\S]*?)^```|((?:^    \S.*\n)+)", re.MULTILINE)
STEP = re.compile(r"^\d\. .*?`((?:spms|cd) [^`]+)`", re.MULTILINE)  # upgrading.md is a numbered list
# What the pages take for granted: git, from which the code comes, certificates, and cron.
PACKAGES = ("git", "ca-certificates", "cron")
LIBRARIES_OF_PYTHON = ("libssl3", "libffi8", "libsqlite3-0", "libbz2-1.0", "libreadline8")
OF_THIS_MACHINE = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
UNITS = "spms-web spms-worker spms-evaluator"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
FIRST_AREA = 'from documents.models import BusinessArea; BusinessArea.objects.create(name="Marine")'


@dataclass(frozen=True)
class Treatment:
    """What is done with the block that begins with ``beginning``: it is run with ``changes``, or left out.

    ``after`` is a command that an operator runs next, in the words of the page.
    """

    beginning: str
    left_out: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    after: str = ""

    def change(self, block: str) -> str:
        """Return the block as it is run."""
        for changed, replacement in self.changes:
            block = block.replace(changed, replacement)
        return block


TREATMENTS = (
    Treatment("git clone . /opt/spms"),
    Treatment(
        "spms --create migrate",
        changes=(("createsuperuser", "createsuperuser --noinput"),),
        after=f"spms shell -v 0 -c '{FIRST_AREA}'",  # the admin asks for it
    ),
    Treatment("cd /opt/spms && git pull"),
    Treatment("cat > .env <<END", "it needs Docker"),
    Treatment("SPMS_QUEUE_BACKEND=celery", "settings of Docker; test_queue.py runs Celery"),
    Treatment(
        "docker build --tag", "it needs Docker, a registry and a cluster; `make image-check` builds the image"
    ),
    Treatment(
        "    spms backup [FOLDER]",
        changes=(
            ("[FOLDER]", ""),
            (
                "spms restore ARCHIVE",
                f"systemctl stop {UNITS}\nspms restore --replace /var/lib/spms/backups/spms-*.tar",
            ),
        ),
        after=f"systemctl start {UNITS}",
    ),
    Treatment(
        "install -d -m 700 -o spms -g spms /var/backups/spms",
        # As cron does it: the line's command, by its user.
        after="runuser -u spms -- sh -c \"$(sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* [^ ]*  *spms  *//' /etc/cron.d/spms)\""
        " && ls /var/backups/spms/spms-*.tar",
    ),
    Treatment(
        "    spms qcluster",
        changes=(
            ("spms qcluster ", "timeout --foreground 10 spms qcluster || [ $? = 124 ] "),
            ("keep.sh COMMAND …", "keep.sh true"),
        ),
    ),
    Treatment("    make bench", "a measurement; no installation needs it"),
    Treatment("    .venv/bin/pip install flower", "it needs a broker; test_queue.py starts Flower"),
    Treatment("    GET /api/v1/tasks/{task_id}/events/", "not a command; test_events.py sends it"),
    Treatment(
        "    SPMS_EVENTS=true",
        changes=(
            (
                ".venv/bin/uvicorn",
                "set -a && . /etc/spms/spms.env && timeout --foreground 10 runuser -u spms -- .venv/bin/uvicorn",
            ),
            ("-shutdown 3", "-shutdown 3 || [ $? = 124 ]"),
        ),
    ),
)
NOT_HERE = (
    "deployment.md: nginx and its certificate (a name in the DNS; test_nginx.py runs nginx.conf)",
    "deployment.md: several hosts (test_hosts.py runs two, with network namespaces)",
)


def main() -> None:
    """Run every block or leave it out with a reason; exit with 1 at the first that fails."""
    root = Path(os.environ["ROOT"])
    prepare(root)
    left_out = list(NOT_HERE)
    for page, block in read_blocks():
        treatment = find_treatment(page, block)
        title = f"{page}.md: {block.strip().splitlines()[0][:70]}"
        if treatment.left_out:
            left_out.append(f"{title} ({treatment.left_out})")
            continue
        say(title)
        run(root, treatment.change(block))
        if treatment.after:
            run(root, treatment.after)
        follow_up(f"{block}{treatment.after}")
    say("\n  ".join(["everything else worked; left out:", *left_out]))


def read_blocks() -> Iterator[tuple[str, str]]:
    """Yield the name of a page and a command block, for all of them."""
    for page in PAGES:
        text = (PROJECT / "docs" / f"{page}.md").read_text()
        for step in STEP.findall(text):
            yield page, step
        for fenced, indented in BLOCK.findall(text):
            yield page, fenced or indented


def find_treatment(page: str, block: str) -> Treatment:
    """Return what to do with a block; exit if a page has one that this file does not know."""
    if "\n" not in block:  # a step of a list
        return Treatment(block)
    for treatment in TREATMENTS:
        if block.startswith(treatment.beginning):
            return treatment
    sys.exit(f"spms: deploy/prove_docs.py has no treatment for this block of {page}.md:\n{block}")


def prepare(root: Path) -> None:
    """Make the root a machine with a network, the code in /src, and no systemd."""
    for folder in ("proc", "src"):
        (root / folder).mkdir(exist_ok=True)
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/dev", root / "dev")
    mount("--bind", os.environ["CODE"], root / "src")
    for path in map(Path, OF_THIS_MACHINE):
        if path.exists():
            copy = root / path.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            shutil.copy(path, copy)
    shutil.copy(PROJECT / "deploy" / "systemctl-by-hand", root / "usr/local/bin/systemctl")
    run(
        root,
        f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {' '.join(PACKAGES)} >/dev/null",
    )
    shutil.copy(CERTIFICATES, root / CERTIFICATES.removeprefix("/"))  # its network may use private ones
    if os.environ["SUITE"] == "bookworm":
        give_python(root)


def give_python(root: Path) -> None:
    """Install what Debian 12 lacks: uv, or the Python of PYTHON_FOLDER where uv can download none."""
    folder = os.environ.get("PYTHON_FOLDER")
    if folder is None:
        shutil.copy(PROJECT / ".venv/bin/uv", root / "usr/local/bin/uv")
        return
    shutil.copytree(folder, root / "opt/python", symlinks=True)
    run(root, f"apt-get -qq install -y --no-install-recommends {' '.join(LIBRARIES_OF_PYTHON)} >/dev/null")
    run(root, "echo /opt/python/lib >/etc/ld.so.conf.d/python.conf && ldconfig && python3.13 --version")


def mount(*arguments: str | Path) -> None:
    """Mount something in this namespace."""
    subprocess.run(["mount", *arguments], check=True)


def run(root: Path, block: str) -> None:
    """Run a block as root, as the pages say. Exits with 1 if it fails."""
    folder = "/opt/spms" if (root / "opt/spms").is_dir() else "/src"
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/python/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), CERTIFICATES),
        **prove_site.MAINTAINER,
    }
    shell = ["chroot", str(root), "sh", "-euc", f"cd {folder}\n{block}"]
    ended = subprocess.run(shell, env=environment, check=False)
    if ended.returncode:
        sys.exit(f"spms: this failed with {ended.returncode}:\n{block}")


def follow_up(block: str) -> None:
    """After the installation, leave this machine's network; after a start of the units, use the site."""
    if "git clone" in block:
        os.unshare(os.CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    elif "systemctl" in block:
        prove_site.use()


def say(line: str) -> None:
    """Print a line at once."""
    print(f"spms: {line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
