#!/bin/sh
# The part of prove-image.sh that runs in separate namespaces: ROOT is the image, DATA its volume.
set -eu
hostname web
ip link set lo up
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs tmpfs "$ROOT/dev"
for device in null zero urandom random; do
    touch "$ROOT/dev/$device"
    mount --bind "/dev/$device" "$ROOT/dev/$device"
done
mkdir "$ROOT/dev/shm"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$ROOT/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/export"
mount -o remount,bind,ro "$ROOT"

chroot=$(command -v chroot)
# As a runtime does it: the image's environment and uid, no capabilities, no new privileges.
container() {
    exec env -i PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 SPMS_DATA_DIR=/data \
        TMPDIR=/dev/shm SPMS_METRICS_TOKEN=only-for-this-proof SPMS_QUEUE_WORKERS=1 SPMS_RENDER_SLOTS=1 \
        "$chroot" "$ROOT" setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all \
        --no-new-privs sh -c 'cd /app && exec /app/deploy/container.sh "$@"' container "$@"
}

fail() {
    echo "spms: $*" >&2
    tail -20 "$DATA"/*.log >&2
    exit 1
}

(container true) || fail "the container does not start"
(container sh -c 'touch /app/x 2>/dev/null || touch /etc/x 2>/dev/null') && fail "the root can be written"
(container migrate --verbosity 0) || fail "migrate failed"
(container python manage.py check --fail-level WARNING >/dev/null) || fail "manage.py check failed"
(container prometheus-files) || fail "prometheus-files failed"
grep -q '^- name: spms' "$ROOT/export/rules.yml" || fail "no rules were written"
(container python manage.py load_sample_data >/dev/null) || fail "load_sample_data failed"
(container spms backup >/dev/null) || fail "spms backup failed"
(container sh -c 'pg_dump --version && psql --version') || fail "the PostgreSQL client is not in the image"
if [ "$REQUIREMENTS" = celery ]; then
    (container celery -A spms.task_backends.celery report >/dev/null) || fail "Celery is not in the image"
fi

(container web >"$DATA/web.log" 2>&1) & web=$!
(container worker >"$DATA/worker.log" 2>&1) & worker=$!
(container evaluator >"$DATA/evaluator.log" 2>&1) & evaluator=$!
(container metrics >"$DATA/metrics.log" 2>&1) & metrics=$!
# exec has replaced each of the shells above with its container's process.

(container python - <"deploy/prove_requests.py") || fail "a request went wrong"

for process in web worker evaluator metrics; do
    eval "kill -TERM \$$process"
done
for process in web worker evaluator metrics; do
    eval "wait \$$process" || fail "$process ended with $? at SIGTERM"
done
echo "spms: web, worker, evaluator and metrics ended with 0 at SIGTERM"
