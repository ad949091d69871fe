# Prometheus reads the agent's metrics, and finds the Nomad workers in the catalog.
agent_prefix "" {
  policy = "read"
}
service_prefix "nomad" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
