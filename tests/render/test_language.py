"""What templates may say, and what a mistake in one is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Revision
from gitops_agent.render import Renderer
from gitops_agent.secret import SHOWN, Secret, conceal, placeholder

KEY = b"k" * 32
REVISION = Revision("main", "0123456789abcdef0123456789abcdef01234567")
VALUES = b"host: web\nport: 80\nnothing:\nlist: [b, a]\nlimits: {items: 3, memory: 1.5}\ntext: |\n  a: 1\n  b: 2\n"


class Rendered(Protocol):
    def __call__(self, text: str, others: Mapping[str, str] | None = None) -> str: ...


@pytest.fixture
def rendered(renderer: Renderer) -> Rendered:
    def render(text: str, others: Mapping[str, str] | None = None) -> str:
        files = {"values/common.yaml": VALUES, "a.txt.j2": text.encode()}
        files |= {path: other.encode() for path, other in (others or {}).items()}
        return renderer.render(files, "production", REVISION, KEY)["a.txt"].decode()

    return render


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ host }}:{{ port }}\n", "web:80\n"),
        ("no line end", "no line end"),
        ("one line end\n\n", "one line end\n\n"),
        ("  {% if true %}\n  yes\n  {% endif %}\nend", "  yes\nend"),
        ("{% for item in list %}{{ item }}{{ ',' if not loop.last }}{% endfor %}", "b,a"),
        ("{{ environment }} {{ revision }} {{ revision.short }} {{ revision.branch }}", f"production {REVISION} 0123456789 main"),
        ("{{ revision.sha | to_json }} {{ revision | to_yaml }}", f'"{REVISION.sha}" {REVISION}'),
        ("{{ nothing or 'none' }}", "none"),
        ("{{ missing | default('x') }} {{ missing is defined }}", "x False"),
        ("{{ limits.items }} {{ limits.memory }} {{ limits['items'] }}", "3 1.5 3"),
        ("{% for name, value in limits.__len__ and limits or {} %}{% endfor %}", InvalidRevision),
        ('{{ {"b": [1, true, none], "a": "é<>&\'"} | to_json }}', '{"b": [1, true, null], "a": "é<>&\'"}'),
        ("{{ limits | to_json(indent=2) }}", '{\n  "items": 3,\n  "memory": 1.5\n}'),
        (
            'x:\n  {{ {"b": [1, "on"], "a": {"c": none}} | to_yaml | indent(2) }}\n',
            "x:\n  b:\n  - 1\n  - 'on'\n  a:\n    c: null\n",
        ),
        ("{{ 'a: b' | to_yaml }} {{ 'plain' | to_yaml }}", "'a: b' plain"),
        ("{{ [list, list] | to_yaml }}", "- - b\n  - a\n- - b\n  - a"),
        ("{{ 'user:é' | b64encode }}", "dXNlcjrDqQ=="),
        ("{{ text | indent(4) }}", "a: 1\n    b: 2\n"),
        ("${{ '{{' }} .Go }}", "${{ .Go }}"),
        ("{% raw %}{{ .Go }}{% endraw %}", "{{ .Go }}"),
        ("{{ [true, 1, 'x'] }} {{ {'a': 1} }} {{ 1.5 }}", "[True, 1, 'x'] {'a': 1} 1.5"),
    ],
)
def test_what_templates_say(rendered: Rendered, template: str, text: str | type[Exception]) -> None:
    if isinstance(text, str):
        assert rendered(template) == text
    else:
        with pytest.raises(text):
            rendered(template)


def test_templates_share_macros_includes_and_parents(rendered: Rendered) -> None:
    """Values, and `secret`, are known in all of them."""
    others = {
        "nginx/_macros.j2": "{% macro listen(tls) %}listen {{ port }}{{ ' ssl' if tls }} {{ secret('file:x') }};{% endmacro %}",
        "nginx/_server.j2": "server { {{ host }} }\n",
        "_base.j2": "<{% block body %}{{ host }}{% endblock %}>",
    }
    text = (
        "{% extends '_base.j2' %}{% from 'nginx/_macros.j2' import listen %}{% import 'nginx/_macros.j2' as macros %}"
        "{% block body %}{{ super() }} {{ listen(true) }} {{ macros.listen(false) }} {% include 'nginx/_server.j2' %}{% endblock %}"
    )
    assert conceal(rendered(text, others)) == f"<web listen 80 ssl {SHOWN}; listen 80 {SHOWN}; server {{ web }}\n>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("ok\n{{ hots }}", "a.txt.j2:2: 'hots' is undefined; did you mean 'host'?"),
        ("ok\n\n{{ xyzzy }}", "a.txt.j2:3: 'xyzzy' is undefined"),
        ("{{ limits.memroy }}", "a.txt.j2:1: 'memroy' is undefined; did you mean 'memory'?"),
        ("{{ [xyzzy] }}", "a.txt.j2:1: 'xyzzy' is undefined"),
        ("{{ {'a': xyzzy} | to_json }}", "a.txt.j2:1: 'xyzzy' is undefined"),
        ("{{ [xyzzy] | to_yaml }}", "a.txt.j2:1: 'xyzzy' is undefined"),
        ("{% if xyzzy %}{% endif %}", "a.txt.j2:1: 'xyzzy' is undefined"),
        ("{{ secret(xyzzy) }}", "a.txt.j2:1: 'xyzzy' is undefined"),
        ("a\n{{ nothing }}", 'a.txt.j2:2: null is printed here; write `… or ""` if nothing is meant'),
        ("{{ list | map('upper') }}", "a.txt.j2:1: generator cannot be printed; a list is made with |list, a text with |join"),
        ("{{ limits.values }}", "a.txt.j2:1: builtin_function_or_method cannot be printed"),
        ("a\n{% if %}", "a.txt.j2:2: Expected an expression, got 'end of statement block'"),
        ("a\n{% endfor %}", "a.txt.j2:2: Encountered unknown tag 'endfor'."),
        ("{{ 'x' | nofilter }}", "a.txt.j2:1: No filter named 'nofilter'."),
        ("{{ list | random }}", "a.txt.j2:1: No filter named 'random'."),
        ("{{ lipsum() }}", "a.txt.j2:1: 'lipsum' is undefined"),
        ("a\n{% include '_sever.j2' %}", "a.txt.j2:2: there is no template '_sever.j2'; did you mean '_server.j2'?"),
        ("{% include 'x.conf' %}", "a.txt.j2:1: there is no template 'x.conf'; only .j2 files can be included"),
        ("a\n{% include '_server.j2' %}", "_server.j2:2: 'domain' is undefined (in a.txt.j2)"),
        ("{% include '_broken.j2' %}", "_broken.j2:1: unexpected '}' (in a.txt.j2)"),
        ("a\n{{ 1 / 0 }}", "a.txt.j2:2: ZeroDivisionError: division by zero"),
        ("{{ 'a' + 1 }}", 'a.txt.j2:1: TypeError: can only concatenate str (not "int") to str'),
        ("{{ fail('port must be above 1024') }}", "a.txt.j2:1: port must be above 1024"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "a.txt.j2:1: templates or macros call each other without end"),
        ("{% include 'a.txt.j2' %}", "a.txt.j2:1: templates or macros call each other without end"),
        ("{{ '\\ud800' }}", "a.txt.j2: prints a character that does not exist"),
        ("{{ ''.__class__ }}", "a.txt.j2:1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ ''|attr('__class__') }}", "a.txt.j2:1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ '{0.__class__}'.format('') }}", "a.txt.j2:1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ list.append(1) }}", "a.txt.j2:1: access to attribute 'append' of 'list' object is unsafe."),
        ("{{ secret.__globals__ }}", "a.txt.j2:1: access to attribute '__globals__' of 'function' object is unsafe."),
        ("{{ self.__init__.__globals__ }}", "a.txt.j2:1: access to attribute '__init__'"),
        ("{{ namespace.__init__ }}", "a.txt.j2:1: access to attribute '__init__'"),
        ("{{ open('/etc/passwd') }}", "a.txt.j2:1: 'open' is undefined"),
        ("{% include '/etc/passwd' %}", "a.txt.j2:1: there is no template '/etc/passwd'"),
        ("{% include '../values/common.yaml' %}", "a.txt.j2:1: there is no template '../values/common.yaml'"),
        ("{{ range(1000000) | list }}", "a.txt.j2:1: OverflowError: Range too big."),
    ],
)
def test_mistakes_name_file_line_and_variable(rendered: Rendered, template: str, message: str) -> None:
    """Failure modes 13, 17 and 18."""
    with pytest.raises(InvalidRevision) as raised:
        rendered(template, {"_server.j2": "b\n{{ domain }}", "_broken.j2": "{{ } }}"})
    assert str(raised.value).startswith(message)
    assert raised.value.line == int(message.split(":")[1]) if message.split(":")[1].isdigit() else raised.value.line == 0


PRINTED = [
    "{{ secret('file:x') }}",
    "{% set s = secret('file:x') %}{{ s }}",
    "{% set s %}{{ secret('file:x') }}{% endset %}{{ s }}",
    "{{ [secret('file:x')] | first }}",
    "{{ {'a': secret('file:x')}.a }}",
    "{% macro m(s) %}{{ s }}{% endmacro %}{{ m(secret('file:x')) }}",
    "{% macro m() %}{{ secret('file:x') }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ secret('file:x') }}{% endcall %}",
    "{% filter indent(2) %}{{ secret('file:x') }}{% endfilter %}",
    "{% filter trim %}  {{ secret('file:x') }}\n{% endfilter %}",
    "{{ secret('file:x') if secret('file:x') is defined }}",
    "{% for s in [secret('file:x')] %}{{ s }}{% endfor %}",
    "{{ secret('file:' ~ 'x') }}",
    "{% with s = secret('file:x') %}{{ s }}{% endwith %}",
    "{% block b %}{{ secret('file:x') }}{% endblock %}",
]


@pytest.mark.parametrize("template", PRINTED)
def test_a_secret_is_printed(rendered: Rendered, template: str) -> None:
    assert rendered(template) == placeholder(Secret("file:x"), KEY)


@pytest.mark.parametrize("encode", ["json", "base64", "url"])
def test_how_a_secret_is_written(rendered: Rendered, encode: str) -> None:
    assert rendered(f"<{{{{ secret('file:x', encode='{encode}') }}}}>") == f"<{placeholder(Secret('file:x', encode), KEY)}>"


S = "secret('file:x')"
FILTERS = """
    upper lower string length tojson to_json to_yaml b64encode default('y') e indent trim replace('a','b') truncate(3) list
    first int float urlencode join reverse sort format capitalize title wordwrap center safe striptags pprint attr('_text')
    map('upper') batch(2) round abs max sum unique dictsort items xmlattr filesizeformat forceescape wordcount
"""
EXPRESSIONS = f"""
    {S} ~ 'x'; 'x' ~ {S}; {S} + 'x'; 'x' + {S}; {S} * 2; '%s' % {S}; {S} % 1; '{{}}'.format({S}); -{S}; {S} // 2; 2 ** {S}
    {S} == 'x'; {S} != 'x'; 'x' == {S}; {S} < 'x'; {S} >= 'x'; 'x' in {S}; {S} in 'x'; {S} in ['x']
    {S} is eq 'x'; {S} is in ['x']
    not {S}; {S} and 'x'; {S} or 'x'; 'x' if {S}; {S}[0]; {S}[1:]; {S}.upper(); {S}.text; {S}._text; {S}['_text']
    {S}(); [{S}]; {{'a': {S}}}; {{{S}: 1}}; [{S}]|join; [{S}]|string; [{S}]|to_json; [{S}]|to_yaml; dict(a={S})|tojson; [{S}]|sum
    [{S}]|map('upper')|list; [{S}]|sort; [{S}, {S}]|unique|list; [{S}]|map(attribute='_text')|list; [{{'a': {S}}}]|groupby('a')
    [{S}]|select('equalto', 'x')|list; 'x'|default({S}, true); 'a'|replace('a', {S}); [1]|join({S}); range({S}); secret({S})
"""
BLOCKS = f"""
    {{% for c in {S} %}}{{{{ c }}}}{{% endfor %}}
    {{% if {S} %}}x{{% endif %}}
    {{% filter upper %}}{{{{ {S} }}}}{{% endfilter %}}
    {{% filter b64encode %}}a{{{{ {S} }}}}{{% endfilter %}}
    {{% filter upper %}}{{% filter indent(2) %}}{{{{ {S} }}}}{{% endfilter %}}{{% endfilter %}}
    {{% set s %}}a{{{{ {S} }}}}{{% endset %}}{{{{ s | upper }}}}
    {{% set s %}}a{{{{ {S} }}}}{{% endset %}}{{{{ s | length }}}}
    {{% set s %}}a{{{{ {S} }}}}{{% endset %}}{{{{ s ~ 'x' }}}}
    {{% set s %}}a{{{{ {S} }}}}{{% endset %}}{{{{ s[3:] }}}}
    {{% set s | upper %}}a{{{{ {S} }}}}{{% endset %}}{{{{ s }}}}
    {{% macro m() %}}a{{{{ {S} }}}}{{% endmacro %}}{{{{ m() | to_json }}}}
    {{% macro m() %}}a{{{{ {S} }}}}{{% endmacro %}}{{{{ m() == m() }}}}
    {{% macro m() %}}{{{{ caller() | upper }}}}{{% endmacro %}}{{% call m() %}}{{{{ {S} }}}}{{% endcall %}}
    {{% block b %}}{{{{ {S} }}}}{{% endblock %}}{{{{ self.b() | upper }}}}
"""
OPERATIONS = [
    *(f"{{{{ {S} | {name} }}}}" for name in FILTERS.split()),
    *(f"{{{{ {expression} }}}}" for line in EXPRESSIONS.strip().splitlines() for expression in line.strip().split("; ")),
    *map(str.strip, BLOCKS.strip().splitlines()),
]


@pytest.mark.parametrize("template", OPERATIONS)
def test_nothing_but_printing_works_on_a_secret(rendered: Rendered, template: str) -> None:
    """Nor on text that a block or a macro has captured with a secret in it."""
    with pytest.raises(InvalidRevision) as raised:
        rendered(f"a\n{template}")
    message = str(raised.value)
    assert message.startswith("a.txt.j2:2: ")
    assert "secret" in message or "_text" in message
    assert "gitops_secret_" not in message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("secret()", "a.txt.j2:1: TypeError: "),
        ("secret(1)", "a.txt.j2:1: secret() takes a reference such as 'file:db_password'"),
        ("secret('')", "a.txt.j2:1: secret() takes a reference such as 'file:db_password'"),
        ("secret('file:x', encode='xml')", "a.txt.j2:1: secret(): encode is one of json, base64, url"),
        ("secret('file:x', encode=[])", "a.txt.j2:1: secret(): encode is one of json, base64, url"),
        ("secret('file:x', none)", "a.txt.j2:1: secret(): encode is one of json, base64, url"),
    ],
)
def test_mistakes_in_a_reference(rendered: Rendered, call: str, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        rendered(f"{{{{ {call} }}}}")
    assert str(raised.value).startswith(message)
