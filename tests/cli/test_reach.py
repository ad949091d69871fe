"""What a change of some files can matter to."""

from __future__ import annotations

import pytest

from gitops_agent.cli.reach import reach

FILES = {
    "_names.j2": b"",
    "README.md": b"",
    "a/file": b"",
    "a/own.j2": b'{% import "_names.j2" as names %}{% include "a/_part.j2" %}',
    "b/x.j2": b"{%- include 'c/_part.j2' ignore missing -%}",
    "c/_part.j2": b'{% from"d/_macros.j2" import\n one, two %}',
    "d/_macros.j2": b"",
    "e/any.j2": b'{% include ["f/a.j2", "f/b.j2"] %}',
    "f/plain": b'{% include "a/own.j2" %}',
    "agent/agent.toml": b"",
    "values/common.yaml": b"",
}


@pytest.mark.parametrize(
    ("changed", "reached"),
    [
        ("a/file", {"a", "e"}),
        ("a/own.j2", {"a", "e"}),  # f/plain is no template
        ("c/gone", {"b", "c", "e"}),
        ("d/_macros.j2", {"b", "c", "d", "e"}),  # by way of c
        ("new/file", {"new", "e"}),
        ("values/common.yaml", None),
        ("agent/agent.toml", None),
        ("_names.j2", None),
        ("README.md", None),
        ("_shared/part.j2", None),
        (".hidden/file", None),
    ],
)
def test_folders_that_a_change_reaches(changed: str, reached: set[str] | None) -> None:
    """`e` includes by a name that nobody knows before, and so is always among them."""
    assert reach(FILES, [changed]) == reached
    assert reach(FILES, [changed, "values/more.yaml"]) is None


@pytest.mark.parametrize(
    "tag",
    [
        "{% include name %}",
        '{% include "x/" ~ name %}',
        '{% include ("x/a.j2") %}',
        '{% extends "x/a.j2" if a else "y/b.j2" %}',
        '{%include folder + "/a.j2"%}',
        '{% import "x\\x2fa" as b %}',
    ],
)
def test_a_name_that_is_made_when_it_is_rendered_may_be_any(tag: str) -> None:
    assert reach({"e/a.j2": tag.encode()}, ["other/file"]) == {"e", "other"}


def test_settings_that_include_from_a_folder_make_it_matter_to_all() -> None:
    assert reach({"agent/agent.toml.j2": b'{% include "a/_part.j2" %}'}, ["a/_part.j2"]) is None
    assert reach({"agent/agent.toml.j2": b'{% include "a/_part.j2" %}'}, ["b/file"]) == {"b"}
