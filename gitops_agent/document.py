"""YAML of the config repo, where every mistake has a file and a line and a hostile file can do nothing but be refused.

PyYAML's fast loader ends the whole process on deep nesting, takes the last of two equal keys without a word and expands aliases
without bound; its slow one costs twenty times as much. So the events are looked at first, then composed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import yaml
from yaml.constructor import SafeConstructor

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Origin, Value

_DEEPEST = 64
_MOST_NODES = 250_000
"""After aliases are expanded: several times what a file of 1 MiB can hold without them."""
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_TIME = "tag:yaml.org,2002:timestamp"


class Entry(NamedTuple):
    """One `name: value` of a mapping; `line` is the name's, from 1."""

    name: str
    node: yaml.Node
    line: int


class Document:
    """One file. `root` is None when it holds nothing. Raises InvalidRevision when it is no YAML, or YAML that nobody means."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        try:
            text = content.decode()
            self._check(text)
            self.root: yaml.Node | None = yaml.compose(text, yaml.CSafeLoader)
        except UnicodeDecodeError as error:
            raise InvalidRevision(f"is not UTF-8 at byte {error.start}", file=file) from None
        except yaml.YAMLError as error:
            raise self._no_yaml(error) from None

    def entries(self, node: yaml.Node | None) -> Iterator[Entry]:
        """What a mapping holds, `<<` merged. Names are taken as written: `on` and `8080` are texts."""
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            raise self.error("must be a mapping of names to values", node)
        merged: dict[str, Entry] = {}
        own: dict[str, Entry] = {}
        for name, value in node.value:
            if name.tag == _MERGE:
                for source in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                    merged.update({entry.name: entry for entry in self.entries(source)})
                continue
            if not isinstance(name, yaml.ScalarNode):
                raise self.error("a name must be a text", name)
            if name.value in own:
                raise self.error(f"{name.value!r} is here twice; the other is in line {own[name.value].line}", name)
            own[name.value] = Entry(name.value, value, self.line(name))
        yield from {**merged, **own}.values()

    def plain(self, node: yaml.Node) -> Value:
        """The node as plain values. A date is the text that was written."""
        if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
            raise self.error(f"is no value: {node.tag} is not known", node)
        if isinstance(node, yaml.MappingNode):
            return {entry.name: self.plain(entry.node) for entry in self.entries(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        if node.tag == _TIME:
            return node.value
        try:
            return SafeConstructor().construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise self.error(f"is no value: {getattr(error, 'problem', None) or error}", node) from None

    def line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 1

    def origin(self, node: yaml.Node) -> Origin:
        return Origin(self.file, self.line(node))

    def error(self, message: str, node: yaml.Node | None = None) -> InvalidRevision:
        return InvalidRevision(message, file=self.file, line=self.line(node) if node is not None else 0)

    def _check(self, text: str) -> None:
        total = 0
        sizes: dict[str | None, int] = {}
        around: list[tuple[str | None, int]] = []
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                if event.anchor in [anchor for anchor, _ in around]:
                    raise self._at(event, f"*{event.anchor} refers to what it stands in")
                total += sizes.get(event.anchor, 1)
            elif isinstance(event, yaml.ScalarEvent):
                total += 1
                sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                around.append((event.anchor, total))
                total += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, start = around.pop()
                sizes[anchor] = total - start
            if len(around) > _DEEPEST:
                raise self._at(event, f"is nested deeper than {_DEEPEST} levels")
            if total > _MOST_NODES:
                raise self._at(event, f"expands to more than {_MOST_NODES} values")

    def _at(self, event: yaml.Event, message: str) -> InvalidRevision:
        return InvalidRevision(message, file=self.file, line=event.start_mark.line + 1 if event.start_mark else 0)

    def _no_yaml(self, error: yaml.YAMLError) -> InvalidRevision:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        return InvalidRevision(f"is no YAML: {problem}", file=self.file, line=mark.line + 1 if mark else 0)
