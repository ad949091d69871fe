# What the token of `preview_token_file` may do, and no more: look at the keys of environment `mini-cloud`, and at the record of
# those that are the agent's. Where values hold secrets, leave it away: previews then compare with the branch.
#
#   consul acl policy create -name gitops-agent-preview -rules @consul-policy-preview.hcl

key_prefix "mini-cloud/" {
  policy = "read"
}

key_prefix "gitops-agent/mini-cloud/" {
  policy = "read"
}
