# For people who look: `vault read consul/creds/read-only`.
service_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
agent_prefix "" {
  policy = "read"
}
key_prefix "" {
  policy = "list"
}
