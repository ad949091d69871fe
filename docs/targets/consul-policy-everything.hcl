# What the agent's Consul token may do where the folder declares more than keys: environment `mini-cloud`, its keys below
# `mini-cloud/`. Leave out what the folder does not hold.

# The keys themselves (`prefix` in agent.toml).
key_prefix "mini-cloud/" {
  policy = "write"
}

# The record of what is the agent's.
key_prefix "gitops-agent/mini-cloud/" {
  policy = "write"
}

# policies/, roles.yaml, tokens.yaml, auth-methods.yaml, binding-rules.yaml. Whoever may write these may grant himself everything:
# Consul has no smaller right.
acl = "write"

# config-entries/ of services, with their intentions, and the services in nodes.yaml.
service_prefix "" {
  policy     = "write"
  intentions = "write"
}

# config-entries/: proxy-defaults and other kinds that belong to no service. Consul 1.8 asks for `operator`, newer ones for `mesh`.
operator = "write"
mesh     = "write"

# The hosts in nodes.yaml.
node_prefix "" {
  policy = "write"
}
