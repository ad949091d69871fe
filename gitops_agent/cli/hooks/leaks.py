"""What looks like a secret in a line of text. Shapes only: it finds what people paste by mistake, not what they hide, and a secret
without a shape (a password in the middle of a sentence) goes past it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_agent.secret.shapes import SHAPES

FINE = "not-a-secret"
"""Says so: in the line itself, or as an attribute of the file in .gitattributes."""

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
    found = [what for what, shape in SHAPES.items() if shape.search(line)]
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
