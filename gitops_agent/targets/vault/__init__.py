"""Vault and OpenBao: one module a type of resource, behind one target; and the resolver of `secret()` for KV v2."""

from gitops_agent.targets.vault.target import Vault

TARGET = Vault
