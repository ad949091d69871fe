# Tasks of Nomad jobs find other services, and read the keys that are meant for jobs.
service_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
key_prefix "jobs/" {
  policy = "read"
}
