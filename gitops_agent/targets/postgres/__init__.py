"""PostgreSQL: roles and databases behind one target."""

from gitops_agent.targets.postgres.target import Postgres

TARGET = Postgres
