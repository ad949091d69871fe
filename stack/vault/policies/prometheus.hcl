# Prometheus: `gitops-agent bootstrap` makes its token.
path "sys/metrics" {
  capabilities = ["read"]
}
