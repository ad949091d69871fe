"""What looks like a secret in a line of text. Shapes only: it finds what people paste by mistake, not what they hide, and a secret
without a shape (a password in the middle of a sentence) goes past it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

FINE = "not-a-secret"
"""Says so: in the line itself, or as an attribute of the file in .gitattributes."""

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SHAPES = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    "a token of Vault": re.compile(r"\bhv[sbr]\.[\w-]{20,}|(?<![\w.])s\.[A-Za-z0-9]{24}\b"),
    "a token of Consul or Nomad": re.compile(rf"(?i)(?:token|secret_?-?id)\b[^\n]{{0,12}}?[\s:=\"']({_UUID})\b"),
    "a token of Gitea": re.compile(r"(?i)(?:token|gitea)[\w-]*\s*[:= ]\s*[\"']?[0-9a-f]{40}\b"),
    "a token of a public service": re.compile(
        r"\b(?:gh[pousr]_\w{36}|github_pat_\w{40,}|glpat-[\w-]{20}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{20,})"
    ),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@{}$<>\"']+:[^\s/@{}$<>\"']{3,}@[\w[]"),
}
# ` :'password'` is a variable of psql.
_ASSIGNED = re.compile(
    r"""(?ix) (?: ^ | [\s,{("'._-] ) (?: [\w.-]*[_.-] )?
        (?: password | passwd | passphrase | pgpassword | secret | token | (?: api | secret | access )[_-]?key | secret[_-]?id )
        ["']? (?: : | \s+:\s | \s*=>? ) \s* (?: "([^"]+)" | '([^']+)' | ([^\s"'\#,;}\])]+) )"""
)
_NO_VALUE = re.compile(
    r"""(?ix) ^(?: [{$%</*!&.~|>-].*  # a template, a variable, a path, YAML's own signs
        | (?:file|vault):.* | [a-z]+(?:[-_][a-z]+)*[-_](?:token|password|secret|key)  # a reference, a secret's name
        | [\w.]+ [(\[] .* | (?:var|local|os|env|each)\. .*  # code
        | true | false | null | none | yes | no | \d{1,3}
        )$"""
)
_FORMS = re.compile(r"^(?:password|uuid|base64url-32|rsa|ssh|issued|public-of:.*)$")
"""What secrets.yaml says of secrets instead of what they are."""


def find(file: str, line: str) -> Iterator[str]:
    """What the line seems to hold; nothing when it says that it does not."""
    if FINE in line:
        return
    found = [what for what, shape in _SHAPES.items() if shape.search(line)]
    yield from found
    prose = file.endswith((".md", ".txt")) or line.lstrip().startswith(("#", "//", "{#", "<!--"))
    if found or prose:
        return
    for match in _ASSIGNED.finditer(line):
        value = next(group for group in match.groups() if group is not None)
        if "{{" in value or "${" in value or _NO_VALUE.match(value) or (file == "secrets.yaml" and _FORMS.match(value)):
            continue
        yield "a password or token in the open"
        return
