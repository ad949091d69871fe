# For people who look: `vault read nomad/creds/read-only`.
namespace "default" {
  policy       = "read"
  capabilities = ["list-jobs", "read-job", "read-logs", "read-fs"]
}
node {
  policy = "read"
}
agent {
  policy = "read"
}
operator {
  policy = "read"
}
