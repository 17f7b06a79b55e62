#!/bin/sh
# Runs compose.yaml with podman and images that are built here: `make compose-check`, as root on Linux.
# BASE_FOLDER=… takes a root file system of Debian trixie with Python instead of making one; IMAGES_FOLDER=… keeps the
# images for the next run. It exits with 77 if it cannot run here.
set -eu
cd "$(dirname "$0")/.."
subject="compose.yaml"
. deploy/debian-root.sh

require_root_on_linux "networks, mounts"
require_tools "podman runc netavark aardvark-dns iptables git" podman runc iptables git
[ -x .venv/bin/podman-compose ] || cannot "podman-compose is missing (run: make setup-dev)"

scratch=$(mktemp -d)
images="${IMAGES_FOLDER:-$scratch/storage}"
export PATH="$PWD/.venv/bin:$PATH" CONTAINERS_CONF="$scratch/containers.conf" CONTAINERS_STORAGE_CONF="$scratch/storage.conf"
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "overlay"
graphroot = "$images"
runroot = "$scratch/run"
END
finish() {
    [ ! -d "$scratch/code" ] ||
        (cd "$scratch/code" && podman-compose down --volumes --timeout 20 >"$scratch/down.log" 2>&1) || true
    podman rm --all --force >/dev/null 2>&1 || true
    podman unmount --all >/dev/null 2>&1 || true
    umount "$images/overlay" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT
podman info >/dev/null 2>"$scratch/info.log" || cannot "podman does not work: $(tail -1 "$scratch/info.log")"

base="${BASE_FOLDER:-}"
if [ -z "$base" ]; then
    base="$scratch/base"
    make_debian_root trixie "$base" --include=python3,python3-venv,ca-certificates
fi
certificates=/etc/ssl/certs/ca-certificates.crt
{
    echo "FROM scratch"
    echo "COPY . /"
    echo "ENV PIP_CERT=$certificates DEBIAN_FRONTEND=noninteractive"
} >"$scratch/Base"

# build NAME CONTAINERFILE FOLDER …
build() {
    name="$1"
    file="$2"
    shift 2
    step "building $name"
    podman build --quiet --isolation chroot --network host --format docker --file "$file" --tag "localhost/$name" "$@" \
        >"$scratch/build.log" 2>&1 || { tail -30 "$scratch/build.log" >&2; exit 1; }
}

build base "$scratch/Base" "$base"
git clone --quiet . "$scratch/code"
mkdir "$scratch/machine"
cp "$certificates" "$scratch/machine/machine.crt"  # its network may use private ones
{
    echo "FROM localhost/base"
    echo "COPY machine.crt $certificates"
} >"$scratch/Machine"
build machine "$scratch/Machine" "$scratch/machine"
build spms:local Dockerfile --build-arg BASE=localhost/machine "$scratch/code"
# In place of the official images, Debian's packages under the names in compose.yaml.
for image in $(sed -n 's/^ *image: \(postgres:.*\|prom\/prometheus:.*\)/\1/p' compose.yaml); do
    file=$(echo "${image%%:*}" | tr / -)
    build "$image" "deploy/compose-check/$file" deploy/compose-check
done
cd "$scratch/code"
python -m deploy.prove_compose
