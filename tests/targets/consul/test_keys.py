"""What a consul folder says, and what it may not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from gitops_agent.target import Site
from gitops_agent.targets.consul import TARGET
from gitops_agent.targets.consul.record import MAX_BYTES
from gitops_agent.targets.consul.target import Consul


def folder(**settings: str) -> Consul:
    table = {"kind": "consul", "name": "consul", **settings}
    return TARGET(TARGET.Settings.model_validate(table), Site("mini", Path("/nowhere"), b"key"))


def values(files: Files, **settings: str) -> Mapping[str, object]:
    return {resource.name: resource.spec["value"] for resource in folder(**settings).parse(files)}


def test_a_value_is_the_text_as_it_is_written() -> None:
    text = b"a: 3.10\nb: yes\nc: 0x10\nd: 2026-01-02\ne: ''\nf: 1_000\ng: |\n  two\n  lines\nh: null-ish\ni: '{\"a\": 1}'\n"
    assert values({"kv.yaml": text}) == {
        "kv:mini/a": "3.10",
        "kv:mini/b": "yes",
        "kv:mini/c": "0x10",
        "kv:mini/d": "2026-01-02",
        "kv:mini/e": "",
        "kv:mini/f": "1_000",
        "kv:mini/g": "two\nlines\n",
        "kv:mini/h": "null-ish",
        "kv:mini/i": '{"a": 1}',
    }


def test_nested_names_are_the_parts_of_a_key() -> None:
    text = b"app:\n  db/host: pg\n  limits:\n    memory: 256\n8080: port\n"
    assert values({"kv-app.yml": text}, prefix="one/two/") == {
        "kv:one/two/app/db/host": "pg",
        "kv:one/two/app/limits/memory": "256",
        "kv:one/two/8080": "port",
    }


def test_json_is_asked_for() -> None:
    text = "a: !json [80, yes, 1.5, null, 2026-01-02, ü]\nb: !json\n  x: {y: text}\n".encode()
    assert values({"kv.yaml": text}) == {
        "kv:mini/a": '[80, true, 1.5, null, "2026-01-02", "ü"]',
        "kv:mini/b": '{"x": {"y": "text"}}',
    }


def test_files_below_kv_are_keys_byte_for_byte() -> None:
    files = {
        "kv/app/config.yaml": b"a: [1\n",
        "kv/.hidden": b"",
        "kv/binary": b"\xff\x00",
        "README.md": b"# for people",
        ".gitkeep": b"",
    }
    assert values(files) == {"kv:mini/app/config.yaml": "a: [1\n", "kv:mini/.hidden": "", "kv:mini/binary": b"\xff\x00"}


def test_aliases_and_merges_work() -> None:
    assert values({"kv.yaml": b"one: &one {a: 1, b: 2}\ntwo: {<<: *one, b: 3}\n"}) == {
        "kv:mini/one/a": "1",
        "kv:mini/one/b": "2",
        "kv:mini/two/a": "1",
        "kv:mini/two/b": "3",
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"kv.yaml": b"a: 1\nb:\n"}, 'kv.yaml:2: b has no value; write "" for an empty one'),
        ({"kv.yaml": b"a: 1\nb: ~\n"}, 'kv.yaml:2: b has no value; write "" for an empty one'),
        ({"kv.yaml": b"a:\n  b: [1]\n"}, "kv.yaml:2: is a list; write !json before it to store it as JSON"),
        ({"kv.yaml": b"a: !json 1\n"}, "kv.yaml:1: !json is for lists and mappings; any other value is stored as it is written"),
        ({"kv.yaml": b"a: !json [.nan]\n"}, "kv.yaml:1: cannot be written as JSON"),
        ({"kv.yaml": b"a: !yaml [1]\n"}, "kv.yaml:1: is a list; write !json before it to store it as JSON"),
        ({"kv.yaml": b"a: !env HOME\n"}, "kv.yaml:1: !env is not known; there is !json"),
        ({"kv.yaml": b"- a\n"}, "kv.yaml:1: must be a mapping of names to values"),
        ({"kv.yaml": b"a: 1\nb: 2\na: 3\n"}, "kv.yaml:3: 'a' is here twice; the other is in line 1"),
        ({"kv.yaml": b"a: {b: 1}\na/b: 2\n"}, "kv.yaml:2: kv:mini/a/b is declared twice; the other is in kv.yaml:1"),
        ({"kv.yaml": b"a: {b: 1}\n", "kv/a/b": b"2"}, "kv/a/b: kv:mini/a/b is declared twice; the other is in kv.yaml:1"),
        ({"kv.yaml": b"/a: 1\n"}, "kv.yaml:1: 'mini//a' cannot be a key"),
        ({"kv.yaml": b"a/: 1\n"}, "kv.yaml:1: 'mini/a/' cannot be a key"),
        ({"kv.yaml": b"a: {../b: 1}\n"}, "kv.yaml:1: 'mini/a/../b' cannot be a key"),
        ({"kv.yaml": b'"a\\tb": 1\n'}, "kv.yaml:1: 'mini/a\\tb' cannot be a key"),
        ({"kv/big": b"x" * 524_289}, "kv/big: mini/big has 524289 bytes; Consul takes 524288"),
        ({"kvs.yaml": b"a: 1\n"}, "kvs.yaml: is nothing that a consul folder holds: "),
        ({"kv": b"a: 1\n"}, "kv: is nothing that a consul folder holds: "),
    ],
)
def test_mistakes_name_file_and_line(files: Files, message: str) -> None:
    """Failure modes 12 and 15."""
    with pytest.raises(InvalidRevision) as raised:
        values(files)
    assert str(raised.value).startswith(message)


def test_more_names_than_a_record_can_hold() -> None:
    names = [f"{number:06}-{'x' * 60}" for number in range(MAX_BYTES // 70 + 1)]
    with pytest.raises(InvalidRevision, match=r"^kv/000000-x+: \d+ names have \d+ bytes, 389120 fit: split the target in two$"):
        values({f"kv/{name}": b"" for name in names})


def test_scope_tells_servers_and_prefixes_apart() -> None:
    """Failure mode 16: what one target may own is claimed by no other."""
    assert folder().scope() == {"http://127.0.0.1:8500 kv:mini/"}
    assert folder(prefix="shop/", address="http://consul:8500/", datacenter="dc2").scope() == {"http://consul:8500 dc2 kv:shop/"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prefix": "mini"}, "must end with a slash"),
        ({"prefix": "/mini/"}, "must end with a slash"),
        ({"prefix": "gitops-agent/mini/"}, "is where the agent keeps its records"),
        ({"address": "consul:8500"}, "must be an address such as"),
        ({"address": "http://user:password@consul:8500"}, "must be an address such as"),
        ({"datacenter": "dc 1"}, "pattern"),
    ],
)
def test_settings_that_cannot_be_meant(settings: Mapping[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        folder(**settings)
