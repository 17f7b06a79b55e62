#!/bin/sh
# Runs the command blocks of the pages for operators on a bare Debian: `make docs-check`, as root on Linux.
# Usage: deploy/prove-docs.sh [SUITE]    trixie (the default) or bookworm. ROOT_FOLDER=… takes a root file system
# made by debootstrap instead of making one; PYTHON_FOLDER=… is a Python 3.13 for bookworm where uv can download none.
# It exits with 77 if it cannot run here.
set -eu
cd "$(dirname "$0")/.."
suite="${1:-trixie}"

cannot() {
    echo "spms: the documentation was NOT checked: $*" >&2
    exit 77
}

[ "$(uname -s)" = Linux ] || cannot "this needs Linux"
[ "$(id -u)" = 0 ] || cannot "this needs root (chroot, mount)"
for tool in unshare ip git chroot; do
    command -v "$tool" >/dev/null || cannot "$tool is missing (apt-get install util-linux iproute2 git)"
done
[ -x .venv/bin/python ] || cannot "there is no .venv (run: make setup-dev)"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ -n "${ROOT_FOLDER:-}" ]; then
    cp -a "$ROOT_FOLDER" "$scratch/root"
else
    command -v debootstrap >/dev/null || cannot "debootstrap is missing (apt-get install debootstrap)"
    mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
    echo "spms: making a root of Debian $suite"
    # shellcheck disable=SC2086
    debootstrap --variant=minbase "$suite" "$scratch/root" $mirror >"$scratch/debootstrap.log" 2>&1 ||
        { tail -3 "$scratch/debootstrap.log" >&2; cannot "debootstrap failed"; }
fi
git clone --quiet . "$scratch/code"
git -C "$scratch/code" checkout --quiet -B main
ROOT="$scratch/root" CODE="$scratch/code" SUITE="$suite" \
    unshare --mount --pid --fork --uts --ipc --kill-child .venv/bin/python -m deploy.prove_docs
