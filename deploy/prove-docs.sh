#!/bin/sh
# Runs the command blocks of the pages for operators on a bare Debian: `make docs-check`, as root on Linux.
# Usage: deploy/prove-docs.sh [SUITE]    trixie (the default) or bookworm. ROOT_FOLDER=… takes a root file system
# made by debootstrap instead of making one; PYTHON_FOLDER=… is a Python 3.13 for bookworm where uv can download none.
# It exits with 77 if it cannot run here.
set -eu
cd "$(dirname "$0")/.."
suite="${1:-trixie}"
subject="the documentation"
. deploy/debian-root.sh

require_root_on_linux "chroot, mount"
require_tools "util-linux iproute2 git" unshare ip git chroot
[ -x .venv/bin/python ] || cannot "there is no .venv (run: make setup-dev)"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ -n "${ROOT_FOLDER:-}" ]; then
    cp -a "$ROOT_FOLDER" "$scratch/root"
else
    make_debian_root "$suite" "$scratch/root"
fi
git clone --quiet . "$scratch/code"
git -C "$scratch/code" checkout --quiet -B main
ROOT="$scratch/root" CODE="$scratch/code" SUITE="$suite" \
    unshare --mount --pid --fork --uts --ipc --kill-child .venv/bin/python -m deploy.prove_docs
