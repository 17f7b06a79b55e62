#!/bin/sh
# Restarts a command when it fails, as systemd and Docker do. Usage: deploy/keep.sh COMMAND …
child=
stop() {
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
    wait "$child"
    exit 0
}
trap stop TERM INT
while :; do
    "$@" &
    child=$!
    wait "$child" && exit 0
    echo "spms: $* ended with $?; starting it again" >&2
    sleep 1
done
