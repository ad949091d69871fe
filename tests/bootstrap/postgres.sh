#!/bin/sh
# What the entry point of PostgreSQL's image does with the settings that the stack uses: once a cluster, what /docker-entrypoint-initdb.d
# holds on a server that only its socket leads to, then the server.
set -eu
data=/var/lib/postgresql/data
as_postgres() { su postgres -s /bin/sh -c "PATH=$PATH $*"; }

mkdir -p /run/postgresql && chown postgres /run/postgresql "$data" && chmod 700 "$data"
if [ ! -s $data/PG_VERSION ]; then
    as_postgres initdb --pgdata=$data --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 "$POSTGRES_INITDB_ARGS" >/dev/null
    echo 'host all all all scram-sha-256' >>$data/pg_hba.conf
    as_postgres pg_ctl --pgdata=$data --wait --silent -o "\"-c listen_addresses= -c unix_socket_directories=/run/postgresql\"" start
    export PGHOST=/run/postgresql
    for script in /docker-entrypoint-initdb.d/*.sh; do . "$script"; done
    unset PGHOST
    as_postgres pg_ctl --pgdata=$data --wait --silent --mode=fast stop
fi
su postgres -s /bin/sh -c "PATH=$PATH exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/run/postgresql" &
trap 'kill -INT $!' TERM INT
wait || wait
