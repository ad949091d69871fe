# What the agent's Nomad token may do, and no more: environment `mini-cloud`, jobs of the namespace `default`.
#
#   nomad acl policy apply gitops-agent nomad-policy.hcl
#   nomad acl token create -name gitops-agent -policy gitops-agent -type client -json | jq -r .SecretID > token-file

namespace "default" {
  # `submit-job` also plans; it lets its holder run whatever the clients' drivers can run.
  capabilities = ["list-jobs", "read-job", "parse-job", "submit-job"]

  # The record of which jobs are the agent's.
  variables {
    path "gitops-agent/mini-cloud/*" {
      capabilities = ["read", "write"]
    }
  }
}
