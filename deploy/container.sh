#!/bin/sh
# The entry point of containers. Usage: container.sh web|worker|evaluator|events|migrate|metrics|prometheus-files|COMMAND …
set -eu

# Static files are part of the image, but SPMS looks for them in the data folder, which is a volume. A link there
# points to the image, so each container serves the files of its version, and nothing is copied at the start.
static="${SPMS_DATA_DIR:=/data}/static"
is_linked() {
    [ "$(readlink "$static")" = /app/static ]
}
if ! is_linked && ! ln -sT /app/static "$static" 2>/dev/null && ! is_linked; then
    echo "spms: $static cannot become a link to /app/static: make the volume writable for uid $(id -u)," \
        "and remove $static if it is a folder" >&2
    exit 1
fi

role="$1"
shift
# The heartbeat file of gunicorn's worker is in memory, so that a slow disk does not look like a stuck worker.
case "$role" in
web)
    exec gunicorn -c python:spms.gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm spms.wsgi "$@"
    ;;
worker)
    if [ "${SPMS_QUEUE_BACKEND:-django-q}" = celery ]; then
        exec celery -A spms.task_backends.celery worker "$@"
    fi
    exec python manage.py qcluster "$@"
    ;;
evaluator)
    exec python manage.py evaluate_thresholds --every 15s "$@"
    ;;
events)
    exec uvicorn spms.asgi:application --host 0.0.0.0 --port 8000 --log-level warning --timeout-graceful-shutdown 3 "$@"
    ;;
migrate)
    exec python manage.py migrate --noinput "$@"
    ;;
metrics)
    # A small server without rendering processes, beside a worker: /metrics of the processes with this host name.
    exec gunicorn --bind 0.0.0.0:8001 --worker-class gthread --threads 2 --worker-tmp-dir /dev/shm \
        --no-control-socket spms.wsgi "$@"
    ;;
prometheus-files)
    # Write the limits as alert rules, and the token of /metrics, to where Prometheus reads them.
    umask 022
    python manage.py export_prometheus_rules >/export/rules.yml.new
    mv /export/rules.yml.new /export/rules.yml
    printf %s "${SPMS_METRICS_TOKEN:?is needed by Prometheus}" >/export/metrics_token
    ;;
*)
    exec "$role" "$@"
    ;;
esac
