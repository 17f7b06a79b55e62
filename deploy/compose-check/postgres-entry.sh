# Makes the database at the first start, then serves it, both as the user postgres.
set -eu
data=/var/lib/postgresql/data
chown postgres:postgres "$data" /run/postgresql
as_postgres() {
    setpriv --reuid=postgres --regid=postgres --init-groups "$@"
}
if [ ! -e "$data/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    chown postgres /tmp/password
    as_postgres initdb --pgdata="$data" --username="$POSTGRES_USER" --pwfile=/tmp/password \
        --auth-local=trust --auth-host=scram-sha-256
    rm /tmp/password
    # root has no right to write into files of others: compose.yaml takes it
    as_postgres sh -c "echo 'host all all all scram-sha-256' >>$data/pg_hba.conf"
    as_postgres pg_ctl --pgdata="$data" --wait --options="-c listen_addresses= -k /run/postgresql" start
    as_postgres createdb --host=/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB"
    as_postgres pg_ctl --pgdata="$data" --wait stop
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups \
    postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
