# What the agent's Vault token may do, and no more: environment `mini-cloud`. It is as good as root for what it may manage, since who
# writes policies can write any; keep it on the agent's host.
#
#   vault policy write gitops-agent vault-policy.hcl
#   vault auth enable approle
#   vault write auth/approle/role/gitops-agent token_policies=gitops-agent token_ttl=1h token_max_ttl=24h

# The record of what is the agent's, and its mount, which the agent makes.
path "gitops-agent/data/mini-cloud/*" {
  capabilities = ["create", "read", "update"]
}
path "gitops-agent/config" {
  capabilities = ["read"]
}

# Secrets engines (`delete` only with allow_destroy).
path "sys/mounts" {
  capabilities = ["read"]
}
path "sys/mounts/*" {
  capabilities = ["create", "read", "update", "delete"]
}

# Auth methods (`delete` only with allow_destroy).
path "sys/auth" {
  capabilities = ["read"]
}
path "sys/auth/*" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

# Policies. The second rule is OpenBao's: all of them in one answer.
path "sys/policies/acl" {
  capabilities = ["list"]
}
path "sys/policies/detailed/acl" {
  capabilities = ["list"]
}
path "sys/policies/acl/*" {
  capabilities = ["create", "read", "update", "delete"]
}

# Audit devices (Vault only).
path "sys/audit" {
  capabilities = ["read", "sudo"]
}
path "sys/audit/*" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

# Entries below kv/mini-cloud/, and the mount's own configuration.
path "kv/data/mini-cloud/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "kv/undelete/mini-cloud/*" {
  capabilities = ["create", "update"]
}
path "kv/config" {
  capabilities = ["create", "read", "update"]
}

# Roles and configurations: one rule for each engine and auth method whose paths are in the repository.
path "auth/approle/role/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "auth/jwt/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "consul/*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "nomad/*" {
  capabilities = ["create", "read", "update", "delete"]
}

# Tokens of tokens.yaml: `sudo` because they are periodic and their values are chosen here. Looking at them and renewing them is done
# with the tokens themselves.
path "auth/token/create-orphan" {
  capabilities = ["update", "sudo"]
}
path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}
