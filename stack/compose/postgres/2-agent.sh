# The agent's own role, as docs/targets/postgres-role.sql of the agent has it: no superuser, and it cannot read how passwords are kept.
psql --username=postgres --dbname=postgres --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\set password `cat /run/secrets/gitops-agent-postgres`
CREATE ROLE gitops_agent LOGIN CREATEDB CREATEROLE PASSWORD :'password';

-- Nobody but superusers may read how passwords are kept. These two tell the agent what it needs to leave an unchanged password alone:
-- the salt, which the server tells everybody who logs in, and whether a verifier is the one there is. Superusers' they do not tell.
CREATE SCHEMA gitops_agent;

CREATE FUNCTION gitops_agent.password_parameters(role name) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT substring(rolpassword FROM '^(SCRAM-SHA-256[$][0-9]+:[^$]+|md5)') FROM pg_authid WHERE rolname = role AND NOT rolsuper $$;

CREATE FUNCTION gitops_agent.password_is(role name, verifier text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$ SELECT coalesce((SELECT rolpassword = verifier FROM pg_authid WHERE rolname = role AND NOT rolsuper), false) $$;

REVOKE ALL ON FUNCTION gitops_agent.password_parameters(name), gitops_agent.password_is(name, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA gitops_agent TO gitops_agent;
GRANT EXECUTE ON FUNCTION gitops_agent.password_parameters(name), gitops_agent.password_is(name, text) TO gitops_agent;

-- Whose databases it is to keep as declared.
GRANT gitea, concourse, pgadmin, visitors TO gitops_agent WITH ADMIN OPTION;
SQL
