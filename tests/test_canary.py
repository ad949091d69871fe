"""The canary of the first day: render, resolve, plan and log with secrets in every situation, and grep everything for them.

Later stages (journal, statuses, pages, metrics) take the same fixture from `tests/canary.py`. Failure mode 59.
"""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gitops_agent import log, process
from gitops_agent.api import Api
from gitops_agent.errors import AgentError, CommandFailed, InvalidRevision, Unavailable
from gitops_agent.model import Files, Origin, Resource, Revision, State
from gitops_agent.plan import Limits, Plan, compare, guard
from gitops_agent.render import Renderer
from gitops_agent.secret import from_directory, mask, references, resolve
from tests.canary import Canary

KEY = b"k" * 32
PEM = "-----BEGIN KEY-----\n{0}aaaabbbbccccdddd\n{0}eeeeffffgggghhhh\n-----END KEY-----"
_log = logging.getLogger("canary")


class Pipeline:
    """Render → parse → resolve → compare, as a run does, with all it says on record."""

    def __init__(self, renderer: Renderer, store: Path) -> None:
        self._renderer = renderer
        self._lookup = from_directory(store)
        self._revision = 0
        self.said: list[str] = []
        self.live = State()
        self.applied: Files | None = None

    def desired(self, files: Files) -> State:
        tree = self._renderer.render(files, "production", Revision("main", f"{self._revision:040x}"), KEY)
        return State.of(*(Resource(f"file:{path}", _spec(content), origin=Origin(path)) for path, content in tree.items()))

    def plan(self, files: Files, *, history: bool = True) -> Plan:
        parsed = self.desired(files)
        wanted = resolve(parsed, KEY, self._lookup, ["file:*"])
        last = resolve(self.desired(self.applied), KEY, self._lookup, ["file:*"]) if self.applied and history else None
        plan = compare("files", wanted, self.live, applied=lambda: last)
        self.said += [
            plan.text(),
            json.dumps(plan.to_json(), ensure_ascii=False),
            repr(plan),
            plan.digest,
            repr(wanted),
            repr(self.live),
        ]
        self.said += [mask(str(references(resource.spec, KEY))) for resource in parsed]
        try:
            guard(plan, Limits())
        except AgentError as error:
            self.said.append(str(error))
        return plan

    def apply(self, files: Files) -> Plan:
        plan = self.plan(files)
        wanted = resolve(self.desired(files), KEY, self._lookup, ["file:*"])
        self.live = State.of(*(replace(resource, shown=None) for resource in wanted))
        self.applied = files
        self._revision += 1
        assert not self.plan(files), "twice is a no-op"
        return plan

    def failing(self, act: Callable[[], object]) -> AgentError:
        with pytest.raises(AgentError) as raised:
            act()
        self.said += [str(raised.value), repr(raised.value), repr(raised.value.__dict__)]
        return raised.value


def _spec(content: bytes) -> Mapping[str, object]:
    return {"content": content, "mode": "0644"}


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer()
    yield renderer
    renderer.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def pipeline(renderer: Renderer, store: Path, canary: Canary) -> Pipeline:
    pipeline = Pipeline(renderer, store)
    canary.watch(lambda: "\n".join(pipeline.said), name="everything that was said")
    return pipeline


@pytest.fixture
def logged(canary: Canary) -> Iterator[io.StringIO]:
    """Lines as `log.configure` writes them, text and JSON."""
    stream = io.StringIO()
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    log.configure(mask, level="debug")
    text = root.handlers[0]
    assert isinstance(text, logging.StreamHandler)
    text.setStream(stream)
    log.configure(mask, level="debug", as_json=True)
    as_json = root.handlers[0]
    assert isinstance(as_json, logging.StreamHandler)
    as_json.setStream(stream)
    root.addHandler(text)
    canary.watch(stream.getvalue, name="the log")
    yield stream
    root.handlers[:], root.level = kept


def test_the_life_of_a_secret(pipeline: Pipeline, store: Path, canary: Canary) -> None:
    """Created, rotated, moved, taken out while it is live, and deleted."""
    for value in (canary.secret(), canary.secret(), canary.secret(PEM.format("x1"))):
        (store / "db").write_text(f"{value}\n")
        template = b"a: 1\npassword: {{ secret('file:db') }}\njson: {{ secret('file:db', 'json') }}\n"
        assert pipeline.apply({"app.conf.j2": template + b"host: x\n"})
        assert pipeline.apply({"app.conf.j2": template + b"host: y\n"})
        (store / "db").write_text(canary.secret())
        assert pipeline.apply({"app.conf.j2": template + b"host: y\n"})
        assert pipeline.apply({"app.conf.j2": template.replace(b"'json'", b"'base64'")})
        pipeline.live = State.of(*(replace(one, spec=_spec(canary.secret().encode())) for one in pipeline.live))
        assert pipeline.apply({"app.conf.j2": template})
        assert pipeline.apply({"app.conf": b"a: 1\n"})
        assert pipeline.apply({"app.conf.j2": template, "other": b""})
        assert pipeline.apply({"other": b""})


def test_a_secret_whose_history_is_not_known(pipeline: Pipeline, store: Path, canary: Canary) -> None:
    """Live values that this process has never resolved: nothing can mask them."""
    (store / "db").write_text(canary.secret())
    for owned in (True, False):
        pipeline.live = State.of(
            Resource("file:a", _spec(f"password={canary.secret()}\n".encode()), owned=owned),
            Resource("file:b", {canary.secret(): {canary.secret(): 1}, "content": b"x"}, owned=owned),
            Resource("file:c", _spec(canary.secret().encode()), owned=owned),
        )
        pipeline.plan({"a": b"password=none\n", "b.j2": b"{{ secret('file:db') }}"}, history=False)


def test_a_literal_that_becomes_a_reference(pipeline: Pipeline, store: Path, canary: Canary) -> None:
    value = canary.secret("literal-canary-in-git-history")
    pipeline.apply({"app.conf": f"password: {value}\n".encode()})
    pipeline.said.clear()  # git has shown it to everybody; from now on it is a secret
    (store / "db").write_text(value)
    pipeline.apply({"app.conf.j2": b"password: {{ secret('file:db') }}\n", "a": b"x"})
    pipeline.apply({"app.conf": f"password: {value}\n".encode(), "a": b"y"})


@pytest.mark.parametrize(
    "template",
    [
        "{{ secret('file:db') | upper }}",
        "{{ secret('file:db') | b64encode }}",
        "{% set x %}{{ secret('file:db') }}{% endset %}{{ x | reverse }}",
        "{% filter to_json %}{{ secret('file:db') }}{% endfilter %}",
        "{{ fail(secret('file:db')) }}",
        "{{ 1 + secret('file:db') }}",
        "{{ secret('file:db')['x'] }}",
        "{% include secret('file:db') %}",
        "{{ {}[secret('file:db')] }}",
    ],
)
def test_filters_applied_to_a_reference(pipeline: Pipeline, store: Path, canary: Canary, template: str) -> None:
    (store / "db").write_text(canary.secret())
    pipeline.apply({"a.j2": b"{{ secret('file:db') }}"})
    error = pipeline.failing(lambda: pipeline.plan({"a.j2": template.encode()}))
    assert isinstance(error, InvalidRevision)
    assert str(error).startswith("a.j2:1: ")


@pytest.mark.parametrize(
    "mangle", [bytes.upper, lambda token: token[:-2] + b"0_", lambda token: token[:30], lambda token: b"x" + token[9:]]
)
def test_a_forged_placeholder(pipeline: Pipeline, store: Path, canary: Canary, mangle: Callable[[bytes], bytes]) -> None:
    """In a verbatim file, where no template had a say; with another key; cut; and one whose prefix is gone, which is a text."""
    (store / "db").write_text(canary.secret())
    rendered = next(iter(pipeline.desired({"a.j2": b"{{ secret('file:db') }}"})))
    token = rendered.spec["content"]
    forged = mangle(token)
    if b"gitops_secret_" in forged.lower():
        error = pipeline.failing(lambda: pipeline.plan({"conf/a": b"line\n" + forged}))
        assert str(error).startswith("conf/a: holds a forged or mangled secret placeholder")
    else:
        assert next(iter(resolve(pipeline.desired({"a": forged}), KEY, str, ["*"]))).spec["content"] == forged


def test_a_secret_that_the_target_may_not_use(pipeline: Pipeline, store: Path, canary: Canary) -> None:
    (store / "db").write_text(canary.secret())
    state = pipeline.desired({"a.j2": b"{{ secret('file:db') }}"})
    assert isinstance(pipeline.failing(lambda: resolve(state, KEY, from_directory(store), ["kv/*"])), InvalidRevision)
    (store / "short").write_text(canary.secret("§x§"))
    short = pipeline.desired({"a.j2": b"{{ secret('file:short') }}"})
    assert isinstance(pipeline.failing(lambda: resolve(short, KEY, from_directory(store), ["file:*"])), Unavailable)


def test_what_programs_servers_and_bugs_repeat(
    pipeline: Pipeline, store: Path, canary: Canary, logged: io.StringIO, talkative: str
) -> None:
    """Everything that is resolved is masked wherever it comes back, and before it is cut."""
    value = canary.secret()
    (store / "db").write_text(value)
    pipeline.apply({"a.j2": b"{{ secret('file:db') }}"})
    script = 'printf "%s\\n" "$VALUE" "json: $VALUE"; printf "%s" "$VALUE" | base64 >&2; exit 3'
    error = pipeline.failing(lambda: process.run(["sh", "-c", script], timeout=10, env={"VALUE": value}))
    assert isinstance(error, CommandFailed)
    for length in range(0, 330, 7):
        pipeline.failing(lambda length=length: Api("server", talkative).call("POST", "/x", data=b"." * length + value.encode()))
    _log.warning("as an argument %s", value, extra={"field": value, "nested": {"list": [value]}})
    _log.info(json.dumps({"a": json.dumps({"b": value})}))
    try:
        raise ValueError(value)
    except ValueError:
        _log.exception("bug at %r", value.encode())
    assert logged.getvalue().count("(sensitive)") >= 8


@pytest.fixture
def talkative() -> Iterator[str]:
    """A server that repeats what it was sent, as its error."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "emit",
    [
        lambda value: value,
        lambda value: json.dumps({"x": json.dumps(value)}),
        lambda value: value[: len(value) // 2],
        lambda value: value.upper().encode(),
        lambda value: f"<p>{value.replace('&', '&amp;').replace(chr(34), '&quot;')}</p>",
    ],
)
def test_the_canary_sings(emit: Callable[[str], str | bytes], tmp_path: Path) -> None:
    """A watch that cannot fail watches nothing."""
    canary = Canary()
    emitted = emit(canary.secret())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_bytes(emitted if isinstance(emitted, bytes) else emitted.encode())
    canary.watch(emitted, tmp_path, lambda: emitted)
    assert len({leak.split(": ")[0] for leak in canary.leaks()}) == 3
