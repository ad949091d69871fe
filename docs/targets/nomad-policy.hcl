# What the agent's Nomad token may do, and no more: environment `mini-cloud`, jobs and variables of the namespace `default`.
#
#   nomad acl policy apply gitops-agent nomad-policy.hcl
#   nomad acl token create -name gitops-agent -policy gitops-agent -type client -json | jq -r .SecretID > token-file
#
# Namespaces, ACL policies and roles are nothing that a policy can grant: who declares them needs a token of type `management`.

namespace "default" {
  # `submit-job` also plans; it lets its holder run whatever the clients' drivers can run.
  capabilities = ["list-jobs", "read-job", "parse-job", "submit-job"]

  variables {
    # The record of what is the agent's.
    path "gitops-agent/mini-cloud/*" {
      capabilities = ["read", "write"]
    }

    # The variables that variables.yaml may declare: those that a job of that name may read. Leave it out where it declares none.
    path "nomad/jobs/*" {
      capabilities = ["list", "read", "write", "destroy"]
    }
  }
}
