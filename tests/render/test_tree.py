"""A tree in, a tree out: what becomes of each file."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Revision
from gitops_agent.render import Renderer
from gitops_agent.secret import Secret, placeholder

KEY = b"k" * 32
REVISION = Revision("main", "0" * 40)


def rendered(renderer: Renderer, files: Files, environment: str = "production") -> Files:
    return renderer.render(files, environment, REVISION, KEY)


def test_templates_lose_their_suffix_and_the_rest_is_verbatim(renderer: Renderer) -> None:
    """Failure mode 17: Go's and consul-template's braces stay what they are."""
    files = {
        "nginx/nginx.conf.j2": b"# {{ environment }}\n",
        "nginx/upstreams.ctmpl": b'{{ range service "web" }}\r\n',
        "nginx/logo.png": b"\x89PNG\xff\x00",
        "_notes/verbatim.txt": b"{{ stays }}",
        ".gitignore": b"*.bak\n",
        "empty": b"",
        "empty.conf.j2": b"",
    }
    assert rendered(renderer, files) == {
        ".gitignore": b"*.bak\n",
        "_notes/verbatim.txt": b"{{ stays }}",
        "empty": b"",
        "empty.conf": b"",
        "nginx/logo.png": b"\x89PNG\xff\x00",
        "nginx/nginx.conf": b"# production\n",
        "nginx/upstreams.ctmpl": b'{{ range service "web" }}\r\n',
    }


def test_partials_and_values_are_not_put_out(renderer: Renderer) -> None:
    files = {
        "values/common.yaml": b"a: 1",
        "values/other.yaml": b"not: [read",
        "_partial.j2": b"{{ a }}",
        "_shared/part.j2": b"{{ broken",
        "deep/_x/y.conf.j2": b"",
        "a.j2": b"{% include '_partial.j2' %}",
    }
    assert rendered(renderer, files) == {"a": b"1"}


def test_values_of_the_environment_overlay_the_common_ones(renderer: Renderer) -> None:
    files = {
        "values/common.yaml": b"a: {x: 1, y: {p: 1, q: 2}}\nlist: [1, 2]\nkept: yes\ngone: {x: 1}\nplain: 1\n",
        "values/production.yaml": b"a: {y: {q: 3}, z: 4}\nlist: [3]\ngone:\nplain: {now: mapping}\nnew: x\n",
        "out.j2": b"{{ [a, list, kept, plain, new, gone is none] | to_json }}",
    }
    assert rendered(renderer, files) == {
        "out": b'[{"x": 1, "y": {"p": 1, "q": 3}, "z": 4}, [3], true, {"now": "mapping"}, "x", true]'
    }
    files |= {"values/production.yaml": b"", "out.j2": b"{{ [a, list] | to_json }}"}
    assert rendered(renderer, files) == {"out": b'[{"x": 1, "y": {"p": 1, "q": 2}}, [1, 2]]'}
    assert rendered(renderer, {"out.j2": b"no values"}) == {"out": b"no values"}


def test_nothing_of_a_render_stays_for_the_next(renderer: Renderer) -> None:
    """Compiled templates are kept; values, imports and placeholders are not."""
    files = {
        "_m.j2": b"{% macro m() %}{{ a }}{% endmacro %}{% set b = a %}",
        "x.j2": b"{% import '_m.j2' as m %}{{ m.m() }}{{ m.b }}",
    }
    for value in (b"1", b"2"):
        assert rendered(renderer, {**files, "values/common.yaml": b"a: " + value}) == {"x": value * 2}
    with pytest.raises(InvalidRevision, match=r"^_m.j2:1: 'a' is undefined \(in x.j2\)"):
        rendered(renderer, files)
    assert rendered(renderer, {"x.j2": b"{{ secret('file:x') }}"})["x"] == placeholder(Secret("file:x"), KEY).encode()
    other = renderer.render({"x.j2": b"{{ secret('file:x') }}"}, "production", REVISION, b"o" * 32)
    assert other["x"] == placeholder(Secret("file:x"), b"o" * 32).encode()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": b"", "a.j2": b""}, "a.j2: a exists, too; one of the two must go"),
        ({"a/b": b"", "a.j2": b""}, "a.j2: a/ exists, too; one of the two must go"),
        ({"a/b.j2": b"", "a.j2": b""}, "a.j2: a/ exists, too; one of the two must go"),
        ({"nginx/.j2": b""}, "nginx/.j2: has no name without .j2"),
        ({"a.j2": b"ok\n\xff"}, "a.j2:2: is not UTF-8 at byte 3"),
        ({"_a.j2": b"\xff"}, "_a.j2:1: is not UTF-8 at byte 0"),
        ({"values/common.yaml": b"a: 1\n\nb: \xff"}, "values/common.yaml:3: is not UTF-8 at byte 9"),
        ({"values/common.yml": b""}, "values/common.yml: is not read; name it values/common.yaml"),
        ({"values/common.yaml.j2": b""}, "values/common.yaml.j2: values are no templates"),
        ({"values/common.yaml": b"a: 1\na: 2\n"}, "values/common.yaml:2: 'a' is here twice; the other is in line 1"),
        ({"values/production.yaml": b"a:\n  b: 1\n  b: 2\n"}, "values/production.yaml:3: 'b' is here twice"),
        ({"values/common.yaml": b"- a\n"}, "values/common.yaml:1: must be a mapping of names to values"),
        ({"values/common.yaml": b"a: [1\n"}, "values/common.yaml:2: is no YAML"),
        ({"values/common.yaml": b"a: 1\nsecret: x\n"}, "values/common.yaml:2: 'secret' is what templates know as something else"),
        (
            {"values/common.yaml": b"environment: x\n"},
            "values/common.yaml:1: 'environment' is what templates know as something else",
        ),
        ({"values/common.yaml": b"a: !!python/name:os.system\n"}, "values/common.yaml:1: is no value"),
        ({"values/common.yaml": b"a: !!set {x, y}\n"}, "values/common.yaml:1: is no value"),
    ],
)
def test_mistakes(renderer: Renderer, files: Files, message: str) -> None:
    """Failure modes 12 and 17."""
    with pytest.raises(InvalidRevision) as raised:
        rendered(renderer, files)
    assert str(raised.value).startswith(message)


def test_hostile_values_are_refused(renderer: Renderer) -> None:
    bomb = b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 9)) for level in range(1, 12)
    )
    for hostile in (bomb, b"a: " + b"[" * 100_000, b"a: &a [*a]"):
        with pytest.raises(InvalidRevision, match=r"^values/common.yaml:\d+: "):
            rendered(renderer, {"values/common.yaml": hostile})


names = st.text(alphabet="abcxyz", min_size=1, max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="aé\n'\"{: ", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=40)
@given(common=st.dictionaries(names, values, max_size=5), overlay=st.dictionaries(names, values, max_size=5), data=st.data())
def test_same_input_same_bytes(
    renderer: Renderer, common: dict[str, object], overlay: dict[str, object], data: st.DataObject
) -> None:
    """In another process, with the files in another order, and whatever was rendered before."""
    import yaml

    lines = "".join(f"{name}: {{{{ {name} | to_json }}}} {{{{ {name} | to_yaml }}}}\n" for name in sorted({*common, *overlay}))
    files = {
        "values/common.yaml": yaml.safe_dump(common, sort_keys=False).encode(),
        "values/production.yaml": yaml.safe_dump(overlay, sort_keys=False).encode(),
        "b.txt.j2": f"{lines}{{{{ secret('file:x') }}}}".encode(),
        "a/c.txt.j2": f"{{% include 'b.txt.j2' %}}{lines}".encode(),
        "raw": b"\xff",
    }
    order = [*files]
    random.Random(data.draw(st.integers())).shuffle(order)
    first = rendered(renderer, files)
    again = rendered(renderer, {path: files[path] for path in order})
    assert again == first
    assert [*again] == sorted(
        files.keys() - {"b.txt.j2", "a/c.txt.j2", "values/common.yaml", "values/production.yaml"} | {"b.txt", "a/c.txt"}
    )


def test_another_process_gives_the_same_bytes(renderer: Renderer) -> None:
    """Hashes of texts differ from process to process; what is printed does not."""
    files = {
        "values/common.yaml": b"map: {z: 1, a: {q: [x, y], b: 2}, m: w}\n",
        "a.j2": b"{{ map }}{% for k in map %}{{ k }}{% endfor %}{{ map|dictsort }}{{ map|tojson }}{{ ['b','a','b']|unique|list }}",
    }
    other = Renderer()
    try:
        assert rendered(other, files) == rendered(renderer, files)
    finally:
        other.close()
