# For people who mend what runs: `vault read consul/creds/operator`. Lasting changes go through the config repo.
service_prefix "" {
  policy = "write"
}
node_prefix "" {
  policy = "write"
}
agent_prefix "" {
  policy = "write"
}
session_prefix "" {
  policy = "write"
}
key_prefix "" {
  policy = "read"
}
operator = "read"
