#!/bin/sh
# Starts pgAdmin as the official image does, as far as the stack relies on it: settings from PGADMIN_CONFIG_NAME, each a line of Python;
# its database and its owner made once; the list of servers loaded then.
set -eu
if [ ! -f /started ]; then
    python3 - <<'CONFIG' >/pgadmin4/config_distro.py
import os
print("SERVER_MODE = True\nLOG_FILE = '/dev/null'\nDATA_DIR = '/var/lib/pgadmin'")
for name, value in os.environ.items():
    if name.startswith("PGADMIN_CONFIG_"):
        print(f"{name.removeprefix('PGADMIN_CONFIG_')} = {value}")
CONFIG
    touch /started
fi
export PGADMIN_SETUP_EMAIL="$PGADMIN_DEFAULT_EMAIL" PGADMIN_SETUP_PASSWORD="$(cat "$PGADMIN_DEFAULT_PASSWORD_FILE")"
if [ ! -f /var/lib/pgadmin/set-up ]; then
    /venv/bin/python3 /pgadmin4/setup.py setup-db
    /venv/bin/python3 /pgadmin4/setup.py load-servers "$PGADMIN_SERVER_JSON_FILE" --user "$PGADMIN_DEFAULT_EMAIL"
    touch /var/lib/pgadmin/set-up
fi
unset PGADMIN_SETUP_EMAIL PGADMIN_SETUP_PASSWORD
export PGADMIN_SERVER_MODE=ON
cd /pgadmin4
exec /venv/bin/python3 -m gunicorn --bind "0.0.0.0:$PGADMIN_LISTEN_PORT" --workers 1 --threads 4 --timeout 120 pgAdmin4:app
