# A worker registers itself and the services of its jobs. It has no Consul agent of its own: it does so with the server, through nginx.
agent_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
service_prefix "" {
  policy = "write"
}
