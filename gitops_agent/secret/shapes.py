"""What secrets look like in a text. Shapes only: what is none (a password in the middle of a sentence) is not seen."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
PRIVATE_KEY = "a private key"
SHAPES: Mapping[str, re.Pattern[str]] = {
    PRIVATE_KEY: re.compile(r"(?P<value>-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1[0-9A-Z]{20,})"),
    "a token of Vault": re.compile(r"(?P<value>\bhv[sbr]\.[\w-]{20,}|(?<![\w.])s\.[A-Za-z0-9]{24}\b)"),
    "a token of Consul or Nomad": re.compile(rf"(?i)(?:token|secret_?-?id)\b[^\n]{{0,12}}?[\s:=\"'](?P<value>{_UUID})\b"),
    "a token of Gitea": re.compile(r"(?i)(?:token|gitea)[\w-]*\s*[:= ]\s*[\"']?(?P<value>[0-9a-f]{40})\b"),
    "a token of a public service": re.compile(
        r"\b(?P<value>gh[pousr]_\w{36}|github_pat_\w{40,}|glpat-[\w-]{20}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{20,})"
    ),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@{}$<>\"']+:(?P<value>[^\s/@{}$<>\"']{3,})@[\w[]"),
}
"""By what it is; the group `value` is the secret itself, of a private key its first line."""
