"""The targets of a config repo without agent.toml: a folder named as a kind (`nginx/`, `nomad-apps/`) is of that kind, any other
folder is `files`. Enough to parse with; such a target never meets a system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic.fields import FieldInfo

from gitops_agent import targets
from gitops_agent.model import Files
from gitops_agent.target import Site, Target


def guess(tree: Files, environment: str, key: bytes) -> list[Target]:
    """One target for each folder of the rendered tree, but for hidden ones and those of partials."""
    folders = sorted({path.partition("/")[0] for path in tree if "/" in path})
    site = Site(environment, Path("/nonexistent/gitops-agent"), key)
    return [_target(folder, site) for folder in folders if not folder.startswith((".", "_"))]


def load(folders: Iterable[str]) -> None:
    """Imports what the folders will need."""
    for folder in sorted(folders):
        targets.load(kind_of(folder))


def kind_of(folder: str) -> str:
    """`nomad-apps` is `nomad`; the longest kind counts where several fit."""
    known = targets.kinds()
    fitting = [kind for kind in known if folder == kind or folder.startswith(f"{kind}-")]
    return max(fitting, key=len, default="files")


def _target(folder: str, site: Site) -> Target:
    cls = targets.load(kind_of(folder))
    given = {"kind": kind_of(folder), "name": re.sub(r"[^a-z0-9-]", "-", folder.lower()).strip("-") or "folder", "folder": folder}
    stand_ins = {
        name: _stand_in(field, folder)
        for name, field in cls.Settings.model_fields.items()
        if field.is_required() and name not in given
    }
    return cls(cls.Settings.model_validate({**stand_ins, **given}), site)


def _stand_in(field: FieldInfo, folder: str) -> object:
    """Something valid for a setting that only agent.toml knows, and that parsing does not ask for."""
    return f"/nonexistent/{folder}" if field.annotation is Path else "http://nonexistent.invalid"
