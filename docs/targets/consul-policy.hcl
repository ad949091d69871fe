# What the agent's Consul token may do, and no more: environment `mini-cloud`, its keys below `mini-cloud/`.
#
#   consul acl policy create -name gitops-agent -rules @consul-policy.hcl
#   consul acl token create -policy-name gitops-agent -format json | jq -r .SecretID > token-file

# The keys themselves (`prefix` in agent.toml).
key_prefix "mini-cloud/" {
  policy = "write"
}

# The record of the keys that are the agent's.
key_prefix "gitops-agent/mini-cloud/" {
  policy = "write"
}
