# PostgreSQL's image reads this once, on an empty volume: a role and a database for each program, so that those can start. Everything
# after that, a changed password too, is for the target `postgres`.
for name in gitea concourse pgadmin; do
    psql --username=postgres --quiet --set=ON_ERROR_STOP=1 --set=name="$name" <<SQL
\set password \`cat /run/secrets/$name-database\`
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
