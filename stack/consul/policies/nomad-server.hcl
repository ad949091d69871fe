# The Nomad server registers itself, and takes services away that lost allocations left behind.
agent_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
service_prefix "" {
  policy = "write"
}
