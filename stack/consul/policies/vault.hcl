# Vault makes and ends the tokens that consul/creds/… gives out. Whoever may do that may do everything: Consul has no smaller right.
acl = "write"
