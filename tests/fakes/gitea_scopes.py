"""Which scopes a token needs for what, as Gitea 1.26.3 was seen asking for them."""

from __future__ import annotations

import re

_CATEGORIES = {
    "repos": ("repository",),
    "orgs": ("organization",),
    "teams": ("organization",),
    "user": ("user",),
}
"""By the first part of the path."""


def categories(path: str) -> tuple[str, ...]:
    """`path` is below `/api/v1/`."""
    if re.match(r"repos/[^/]+/[^/]+/issues", path):
        return ("issue",)
    if path == "user/repos":
        return ("user", "repository")
    return _CATEGORIES.get(path.partition("/")[0], ())
