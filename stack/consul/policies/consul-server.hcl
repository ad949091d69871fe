# The Consul server's own agent: it registers itself, and tells the catalog what workers registered with it.
agent "consul" {
  policy = "write"
}
node "consul" {
  policy = "write"
}
service_prefix "" {
  policy = "read"
}
