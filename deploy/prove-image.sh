#!/bin/sh
# Builds the Dockerfile without Docker and runs the image as a container would: `make image-check`, as root on Linux.
# Usage: deploy/prove-image.sh [run|celery]    BASE_FOLDER=… takes a root file system with Python instead of making one.
# It exits with 0 if everything worked, with 1 if anything failed, and with 77 if it cannot run here.
set -eu
cd "$(dirname "$0")/.."
requirements="${1:-run}"
subject="the image"
. deploy/debian-root.sh

require_root_on_linux "chroot, mount"
require_tools "buildah util-linux iproute2" buildah unshare setpriv ip

scratch=$(mktemp -d)
export STORAGE_DRIVER=vfs
store="--root $scratch/storage --runroot $scratch/run"
containers=""
finish() {
    for container in $containers; do
        # shellcheck disable=SC2086
        buildah $store umount "$container" >/dev/null 2>&1 || true
    done
    rm -rf "$scratch"
}
trap finish EXIT

# The base: what python:3.13-slim-trixie consists of, Debian and Python, from Debian's own archive.
base="${BASE_FOLDER:-}"
if [ -z "$base" ]; then
    base="$scratch/base"
    make_debian_root trixie "$base" --include=python3,python3-venv,ca-certificates
fi

# shellcheck disable=SC2086
b() {
    command="$1"
    shift
    buildah $store "$command" "$@"
}

from=$(b from scratch)
containers="$containers $from"
b add --quiet "$from" "$base" / >/dev/null
# This machine's certificates: its network may use private ones.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] ||
    b add --quiet "$from" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
b config --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$from"
b commit --quiet "$from" localhost/spms-base >/dev/null

step "building the Dockerfile with requirements/$requirements.txt"
b bud --quiet --isolation chroot --format docker --build-arg BASE=localhost/spms-base \
    --build-arg REQUIREMENTS="$requirements" --tag localhost/spms . >"$scratch/build.log" 2>&1 ||
    { tail -30 "$scratch/build.log" >&2; exit 1; }

image=$(b from --pull-never localhost/spms)
containers="$containers $image"
root=$(b mount "$image")
settings=$(b inspect --type image --format '{{.Docker.Config.User}} {{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}}' localhost/spms)
step "user, entry point and command: $settings"
[ "$settings" = "10001:10001 [/app/deploy/container.sh] [web]" ]
step "size of the image: $(du -sm "$root" | cut -f1) MB, of which the base $(du -sm "$base" | cut -f1) MB"
for tool in gcc cc g++ make; do
    [ ! -e "$root/usr/bin/$tool" ] || { echo "spms: $tool is in the image" >&2; exit 1; }
done

step "running it: root read-only, uid 10001, no capabilities, /data and /dev/shm to write to"
mkdir "$scratch/data"
chown 10001:10001 "$scratch/data"
ROOT="$root" DATA="$scratch/data" REQUIREMENTS="$requirements" \
    unshare --mount --pid --fork --net --uts --ipc --kill-child sh -eu deploy/prove-run.sh
step "the image works"
