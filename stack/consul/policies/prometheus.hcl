# Prometheus reads the metrics of the Consul server.
agent "consul" {
  policy = "read"
}
