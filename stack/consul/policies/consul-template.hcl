# consul-template looks for healthy instances, and nothing else.
service_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
