# For people who mend what runs: restart, look inside, drain a worker. Jobs change through the config repo.
namespace "default" {
  policy       = "read"
  capabilities = ["list-jobs", "read-job", "read-logs", "read-fs", "alloc-lifecycle", "alloc-exec", "dispatch-job", "scale-job"]
}
node {
  policy = "write"
}
agent {
  policy = "read"
}
operator {
  policy = "read"
}
