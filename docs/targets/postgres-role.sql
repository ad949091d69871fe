-- The agent's role in PostgreSQL, and no more than it needs. Run once, as a superuser, in the database that agent.toml names:
--
--   psql -U postgres -d postgres -f postgres-role.sql
--   psql -U postgres -d postgres -c '\password gitops_agent'
--
-- It creates roles and databases and is no superuser. In PostgreSQL 15 a role with CREATEROLE can make itself a member of every role
-- that is no superuser: keep its password on the agent's host.

CREATE ROLE gitops_agent LOGIN CREATEDB CREATEROLE;

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
