"""Which folders of a config repo a change of some files can matter to: what `check --changed-only` looks at.

Values, the agent's own settings and files outside of folders matter to all. A folder matters to another one whose templates
include one of its own; one that includes by a name that is only known when it is rendered is reached by everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_agent.model import Files

_ALL = ("values", "agent")
_INCLUDES = re.compile(r"\{%[-+]?\s*(?:include|import|extends|from)\b\s*(.*?)[-+]?%\}", re.DOTALL)
_NAMED = re.compile(r"""(?:"([^"\\]*)"|'([^'\\]*)')\s*(?:$|(?:import|as|with|without|ignore)\s)""")


def reach(files: Files, changed: Iterable[str]) -> frozenset[str] | None:
    """The names of the folders at the top; None for all of them. `changed` are paths of `files`, or of files that are gone."""
    folders = {path.partition("/")[0] if "/" in path else "" for path in changed}
    if any(not folder or folder in _ALL or folder.startswith((".", "_")) for folder in folders):
        return None
    includes = _included(files)
    while more := {folder for folder, others in includes.items() if others is None or others & folders} - folders:
        folders |= more
    return None if folders & {*_ALL} else frozenset(folders)


def _included(files: Files) -> dict[str, set[str] | None]:
    """The folders that each folder's templates include from; None where that cannot be told."""
    included: dict[str, set[str] | None] = {}
    for path, content in files.items():
        if path.endswith(".j2"):
            folder = path.partition("/")[0]
            for match in _INCLUDES.finditer(content.decode(errors="replace")):
                named = _NAMED.match(match[1].strip())
                others = included.setdefault(folder, set())
                if named is None:
                    included[folder] = None
                elif others is not None:
                    others.add((named[1] or named[2] or "").partition("/")[0])
    return included
