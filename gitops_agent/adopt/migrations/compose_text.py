"""A Compose file as text with places, so that one value is changed and everything else stays: comments, references, order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from gitops_agent.errors import ConfigError

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass
class ComposeText:
    """`path` is where it lies in the config repo. Raises ConfigError for what is no YAML even without its templates."""

    path: str
    text: str
    _changes: list[tuple[int, int, str]] = field(default_factory=list)

    def services(self) -> Iterator[tuple[str, yaml.MappingNode]]:
        root = self._root()
        for name, node in entries(root):
            if name == "services" and isinstance(node, yaml.MappingNode):
                yield from ((service, one) for service, one in entries(node) if isinstance(one, yaml.MappingNode))

    def value(self, node: yaml.Node) -> str:
        """What a scalar says; empty where a template says it."""
        return str(node.value) if isinstance(node, yaml.ScalarNode) and not _JINJA.search(self.written(node)) else ""

    def written(self, node: yaml.Node) -> str:
        """As it stands there, with quotes and templates."""
        return self.text[node.start_mark.index : node.end_mark.index]

    def replace(self, node: yaml.Node, written: str) -> None:
        """From the next `changed` on."""
        self._changes.append((node.start_mark.index, node.end_mark.index, written))

    def remove_line(self, node: yaml.Node) -> None:
        """Of a list: with its dash."""
        start = self.text.rfind("\n", 0, node.start_mark.index) + 1
        end = self.text.find("\n", node.end_mark.index)
        self._changes.append((start, len(self.text) if end < 0 else end + 1, ""))

    def changed(self) -> str:
        text = self.text
        for start, end, written in sorted(self._changes, reverse=True):
            text = text[:start] + written + text[end:]
        return text

    def _root(self) -> yaml.Node | None:
        # As long as what it stands for, so that places are those of the text.
        plain = _JINJA.sub(lambda found: re.sub(r"[^\n]", "x", found[0]), self.text)
        try:
            return yaml.compose(plain, yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise ConfigError(f"{self.path}: {' '.join(str(error).split())}") from None


def entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
