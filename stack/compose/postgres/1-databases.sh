# PostgreSQL's image reads this once, on an empty volume: a role and a database for each program, so that those can start. The
# target `postgres` declares the same and adopts it; what comes after that, a changed password too, is its own.
for name in gitea concourse pgadmin; do
    psql --username=postgres --dbname=postgres --quiet --set=ON_ERROR_STOP=1 --set=name="$name" <<SQL
\set password \`cat /run/secrets/$name-database\`
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done

# What pgAdmin shows: the databases of the others, to look at. And who enters each to see which schemas it has, and no more.
psql --username=postgres --dbname=postgres --quiet --set=ON_ERROR_STOP=1 <<'SQL'
CREATE ROLE readers NOLOGIN IN ROLE pg_read_all_data, pg_monitor;
GRANT readers TO pgadmin;
GRANT CONNECT ON DATABASE gitea, concourse TO readers;
CREATE ROLE visitors NOLOGIN;
GRANT CONNECT ON DATABASE gitea, concourse, pgadmin TO visitors;
SQL
