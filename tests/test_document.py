"""YAML from strangers."""

from __future__ import annotations

import pytest

from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision


def plain(text: str) -> object:
    document = Document("file.yaml", text.encode())
    return None if document.root is None else document.plain(document.root)


def test_values_and_lines() -> None:
    text = "# who\nname: web\nports: [80, 443]\nlimits:\n  memory: 1.5\n  since: 2026-01-02\non: true\nnothing:\n"
    assert plain(text) == {
        "name": "web",
        "ports": [80, 443],
        "limits": {"memory": 1.5, "since": "2026-01-02"},
        "on": True,
        "nothing": None,
    }
    document = Document("file.yaml", text.encode())
    assert [(entry.name, entry.line) for entry in document.entries(document.root)][:3] == [("name", 2), ("ports", 3), ("limits", 4)]


def test_an_empty_file_holds_nothing() -> None:
    document = Document("file.yaml", b"# only a comment\n")
    assert document.root is None
    assert [*document.entries(document.root)] == []


def test_merge_keys_fill_in_and_never_overwrite() -> None:
    assert plain("base: &base {a: 1, b: 2}\nmore: &more {b: 3}\none: {<<: *base, a: 9}\ntwo: {<<: [*more, *base]}\n") == {
        "base": {"a": 1, "b": 2},
        "more": {"b": 3},
        "one": {"a": 9, "b": 2},
        "two": {"a": 1, "b": 3},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "file.yaml:3: 'a' is here twice; the other is in line 1"),
        ("a: 1\n b: 2\n", "file.yaml:2: is no YAML: mapping values are not allowed in this context"),
        ("a: [1\nb: 2\n", "file.yaml:2: is no YAML: "),
        ("a: *nowhere\n", "file.yaml:1: is no YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "file.yaml:2: is no YAML: but found another document"),
        ("a: !!python/object/apply:os.system [id]\n", "file.yaml:1: is no value: tag:yaml.org,2002:python/object"),
        ("a: !secret x\n", "file.yaml:1: is no value: could not determine a constructor"),
        ("? [a, b]\n: 1\n", "file.yaml:1: a name must be a text"),
        ("{a: 1}: 2\n", "file.yaml:1: a name must be a text"),
        ("a: &a\n  b: *a\n", "file.yaml:2: *a refers to what it stands in"),
        ("a:\n  - <<: 3\n", "file.yaml:2: must be a mapping"),
        ("\x00", "file.yaml: is no YAML: "),
    ],
)
def test_mistakes_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        plain(text)
    assert str(raised.value).startswith(message)


def test_a_list_is_no_mapping() -> None:
    document = Document("file.yaml", b"- a\n")
    with pytest.raises(InvalidRevision, match=r"^file.yaml:1: must be a mapping of names to values$"):
        [*document.entries(document.root)]


def test_latin_1_is_refused() -> None:
    with pytest.raises(InvalidRevision, match=r"^file.yaml: is not UTF-8 at byte 3$"):
        Document("file.yaml", b"a: \xe9")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "\n".join(" " * depth + "a:" for depth in range(1200))])
def test_deep_nesting_is_refused_and_kills_nothing(text: str) -> None:
    """The composer of libyaml recurses in C: without the look before it this test would end the process."""
    with pytest.raises(InvalidRevision, match="nested deeper than 64 levels"):
        Document("file.yaml", text.encode())


def test_aliases_cannot_explode() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    with pytest.raises(InvalidRevision, match=r"^file.yaml:6: expands to more than 250000 values$"):
        Document("file.yaml", "\n".join(levels).encode())
