"""What the folder says about keys.

`kv.yaml` and `kv-*.yaml` are mappings: nested names are the parts of a key, a value is the text as it is written (`3.10` stays
`3.10`), `!json` stores a list or mapping as a JSON text. A file below `kv/` is one key, byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin, Resource

FILES = re.compile(r"kv/.+|kv(-[^/]+)?\.ya?ml")
MAX_VALUE = 512 * 1024
"""Bytes; Consul's `kv_max_value_size`."""
_TEXTS = tuple(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
_JSON = "!json"


def parse(files: Files, prefix: str) -> Iterator[Resource]:
    """One resource a key, named `kv:<prefix><key>`. Raises InvalidRevision."""
    for path, content in files.items():
        if path.startswith("kv/"):
            yield _resource(prefix + path[len("kv/") :], text(content), Origin(path))
        else:
            document = Document(path, content)
            yield from _mapping(document, document.root, prefix)


def _mapping(document: Document, node: yaml.Node | None, prefix: str) -> Iterator[Resource]:
    for entry in document.entries(node):
        key, value = prefix + entry.name, entry.node
        origin = Origin(document.file, entry.line)
        if value.tag == _JSON:
            yield _resource(key, _json(document, value), origin)
        elif isinstance(value, yaml.MappingNode):
            yield from _mapping(document, value, f"{key}/")
        elif isinstance(value, yaml.SequenceNode):
            raise InvalidRevision.at("is a list; write !json before it to store it as JSON", origin)
        elif value.tag == _NULL:
            raise InvalidRevision.at(f'{entry.name} has no value; write "" for an empty one', origin)
        elif value.tag in _TEXTS:
            yield _resource(key, value.value, origin)
        else:
            raise InvalidRevision.at(f"{value.tag} is not known; there is {_JSON}", origin)


def _json(document: Document, node: yaml.Node) -> str:
    if not isinstance(node, yaml.CollectionNode):
        raise document.error(f"{_JSON} is for lists and mappings; any other value is stored as it is written", node)
    node.tag = "tag:yaml.org,2002:map" if isinstance(node, yaml.MappingNode) else "tag:yaml.org,2002:seq"
    try:
        return json.dumps(document.plain(node), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError):
        raise document.error("cannot be written as JSON", node) from None


def text(content: bytes) -> str | bytes:
    """Text wherever it is one: what people see in a plan."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _resource(key: str, value: str | bytes, origin: Origin) -> Resource:
    # Consul's HTTP server cleans `//`, `.` and `..` out of paths: such a key could be written here and be read by nobody.
    if not key.isprintable() or any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidRevision.at(f"{key!r} cannot be a key", origin)
    size = len(value.encode() if isinstance(value, str) else value)
    if size > MAX_VALUE:
        raise InvalidRevision.at(f"{key} has {size} bytes; Consul takes {MAX_VALUE}", origin)
    return Resource(f"kv:{key}", {"value": value}, origin=origin)
