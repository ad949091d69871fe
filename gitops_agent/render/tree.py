"""What becomes of each file of a config repo: rendered, included by others, taken as it is, or read for values."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files

_SUFFIX = ".j2"
_VALUES = "values/"


@dataclass(frozen=True)
class Tree:
    """`values` in the order they overlay each other; `templates` with partials; `outputs`: what each template becomes, in order."""

    values: dict[str, str]
    templates: dict[str, str]
    outputs: dict[str, str]
    verbatim: dict[str, bytes]

    def only(self, wanted: Callable[[str], bool]) -> Tree:
        """The same with fewer files to come out; what they include and read is all there."""
        outputs = {path: output for path, output in self.outputs.items() if wanted(path)}
        return replace(self, outputs=outputs, verbatim={path: content for path, content in self.verbatim.items() if wanted(path)})


def sort(files: Files, environment: str) -> Tree:
    """Raises InvalidRevision for two files that would become the same, and for templates and values that are not UTF-8."""
    tree = Tree({}, {}, {}, {})
    for path in sorted(files):
        if path.startswith(_VALUES):
            _refuse_strange_values(path)
        elif path.endswith(_SUFFIX):
            tree.templates[path] = _text(path, files[path])
            if not _is_partial(path):
                tree.outputs[path] = _output(path)
        else:
            tree.verbatim[path] = files[path]
    for name in ("common", environment):
        path = f"{_VALUES}{name}.yaml"
        if path in files:
            tree.values[path] = _text(path, files[path])
    _refuse_collisions(tree)
    return tree


def _is_partial(path: str) -> bool:
    return any(part.startswith("_") for part in path.split("/"))


def _output(path: str) -> str:
    output = path.removesuffix(_SUFFIX)
    if not posixpath.basename(output):
        raise InvalidRevision("has no name without .j2", file=path)
    return output


def _refuse_strange_values(path: str) -> None:
    # Both would be ignored without a word, and the author would look for the mistake elsewhere.
    if path.endswith(".yml"):
        raise InvalidRevision(f"is not read; name it {path.removesuffix('.yml')}.yaml", file=path)
    if path.endswith(_SUFFIX):
        raise InvalidRevision("values are no templates", file=path)


def _refuse_collisions(tree: Tree) -> None:
    directories = {parent for path in (*tree.verbatim, *tree.outputs.values()) for parent in _parents(path)}
    for template, output in tree.outputs.items():
        if output in tree.verbatim:
            raise InvalidRevision(f"{output} exists, too; one of the two must go", file=template)
        if output in directories:
            raise InvalidRevision(f"{output}/ exists, too; one of the two must go", file=template)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidRevision(f"is not UTF-8 at byte {error.start}", file=path, line=line) from None
