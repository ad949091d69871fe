"""Values: `values/common.yaml` overlaid by `values/<environment>.yaml`. Mappings merge, everything else replaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gitops_agent.document import Document
from gitops_agent.model import Value


def overlay(files: Mapping[str, str], reserved: Collection[str]) -> dict[str, Value]:
    """The values of all files, later ones over earlier ones. `reserved` are the names that values cannot have.

    Raises InvalidRevision with file and line.
    """
    values: dict[str, Value] = {}
    for file, text in files.items():
        document = Document(file, text.encode())
        for entry in document.entries(document.root):
            if entry.name in reserved:
                raise document.error(f"{entry.name!r} is what templates know as something else; choose another name", entry.node)
            value = document.plain(entry.node)
            values[entry.name] = _merged(values[entry.name], value) if entry.name in values else value
    return values


def _merged(below: Value, above: Value) -> Value:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{name: _merged(below[name], value) if name in below else value for name, value in above.items()}}
