#!/bin/sh
# Runs once, when the data directory is made: the role that the agent uses, and its way in over the pod's own socket.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 --set password="$(cat /etc/nlds/secret/postgres-password)" <<'SQL'
CREATE ROLE nlds_backup LOGIN REPLICATION PASSWORD :'password';
SQL
{
    echo 'local replication nlds_backup scram-sha-256'
    echo 'local postgres    nlds_backup scram-sha-256'
    cat "$PGDATA/pg_hba.conf"
} >"$PGDATA/pg_hba.conf.new"
mv "$PGDATA/pg_hba.conf.new" "$PGDATA/pg_hba.conf"
