"""Secrets: references instead of values, resolved only where a run compares and writes; and the one place that masks.

A template writes `{{ secret("file:db_password") }}`. What it gets is a placeholder: the reference and a keyed digest of it, so that
nobody can forge one, and copying one gains nothing that `secret()` would not give. Placeholders live in files, specs, plans and the
journal; values live only in `Resource.spec` of a run, and every value ever resolved is masked in whatever leaves the process.
"""

from gitops_agent.secret.masking import SHOWN, mask, remember
from gitops_agent.secret.placeholder import ENCODERS, Secret, conceal, placeholder, references, sign, signing_key
from gitops_agent.secret.resolving import Resolver, fingerprint, resolve, unresolved
from gitops_agent.secret.stores import by_scheme, from_directory

__all__ = [
    "ENCODERS",
    "SHOWN",
    "Resolver",
    "Secret",
    "by_scheme",
    "conceal",
    "fingerprint",
    "from_directory",
    "mask",
    "placeholder",
    "references",
    "remember",
    "resolve",
    "sign",
    "signing_key",
    "unresolved",
]
