"""The child process: its limits, its deaths, and that the agent outlives them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent import process
from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Files, Revision
from gitops_agent.render import Renderer

KEY = b"k" * 32
REVISION = Revision("main", "0" * 40)
ENDLESS = b"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
FINE = {"ok.j2": b"{{ environment }}"}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def make() -> Iterator[Callable[..., Renderer]]:
    made: list[Renderer] = []

    def new(timeout: float = 10, memory: int = 128 << 20, patience: float = 100) -> Renderer:
        made.append(Renderer(timeout, memory, patience=patience))
        return made[-1]

    yield new
    for renderer in made:
        renderer.close()


def render(renderer: Renderer, files: Files) -> Files:
    return renderer.render(files, "production", REVISION, KEY)


def pid_of(renderer: Renderer) -> int:
    renderer.start()
    assert renderer._peer is not None
    return renderer._peer._process.pid


def assert_works(renderer: Renderer) -> None:
    assert render(renderer, FINE) == {"ok": b"production"}


@pytest.mark.parametrize(
    "endless",
    [
        ENDLESS,
        b"{{ 7 ** (7 ** 9) % 3 }}",
        b"{% set n = namespace(x=3) %}{% for i in range(9999) %}{% set n.x = n.x * n.x %}{% endfor %}",
    ],
    ids=["loop", "constant", "numbers"],
)
@pytest.mark.slow
def test_a_template_that_never_ends_is_stopped(make: Callable[..., Renderer], endless: bytes) -> None:
    renderer = make(timeout=0.3)
    with pytest.raises(InvalidRevision, match=r"^b.j2: rendering did not end within 0.3 s$"):
        render(renderer, {**FINE, "a.j2": b"", "b.j2": endless, "c.j2": b""})
    assert_works(renderer)


@pytest.mark.parametrize(
    "greedy",
    [
        b"{{ 'a' * 10 ** 9 }}",
        b"{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        b"{% for i in range(99) %}{% set x %}{{ '%90000000d' % 1 }}{% endset %}{% endfor %}",
        b"{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('abcd') }}",
        b"{{ [1] * 10 ** 8 }}",
    ],
    ids=["text", "doubling", "format", "recursion", "list"],
)
@pytest.mark.slow
def test_a_template_that_needs_too_much_memory_is_stopped(make: Callable[..., Renderer], greedy: bytes) -> None:
    renderer = make(memory=64 << 20)
    with pytest.raises(InvalidRevision, match=r"^b.j2: rendering needs more than 64 MiB of memory$"):
        render(renderer, {**FINE, "b.j2": greedy})
    assert_works(renderer)


def test_a_template_that_prints_too_much_is_stopped(make: Callable[..., Renderer]) -> None:
    renderer = make(memory=256 << 20)
    text = b"{% for i in range(200) %}{{ 'a' * 100000 }}{% endfor %}"
    with pytest.raises(InvalidRevision, match=r"^b.j2: output larger than 32 MiB, all files together$"):
        render(renderer, {"a.j2": text, "b.j2": text})
    assert_works(renderer)


@pytest.mark.slow
def test_a_tree_that_is_too_large_for_the_child_is_the_authors_mistake(make: Callable[..., Renderer]) -> None:
    renderer = make(memory=64 << 20)
    with pytest.raises(InvalidRevision, match="rendering needs more than 64 MiB of memory"):
        render(renderer, {f"{number}.j2": b"x" * (1 << 20) for number in range(60)})
    assert_works(renderer)


@pytest.mark.slow
def test_what_was_rendered_before_does_not_count(make: Callable[..., Renderer]) -> None:
    """A child full of compiled templates is replaced, not the author blamed."""
    renderer = make(memory=48 << 20)
    children = set()
    for number in range(20):
        text = f"{number}{'x' * (1 << 20)}"
        assert render(renderer, {"a.j2": f"{{{{ '{text}' }}}}".encode()}) == {"a": text.encode()}
        children.add(pid_of(renderer))
    assert 1 < len(children) < 20


def test_a_child_that_died_while_nobody_looked_is_replaced(make: Callable[..., Renderer]) -> None:
    renderer = make()
    assert_works(renderer)
    os.kill(pid_of(renderer), signal.SIGKILL)
    assert_works(renderer)


def test_a_child_that_is_killed_at_work_is_nobodys_mistake(make: Callable[..., Renderer]) -> None:
    """The kernel's out-of-memory killer is not the author's mistake."""
    renderer = make()
    pid = pid_of(renderer)
    killer = threading.Thread(target=lambda: (_await(lambda: _is_rendering(renderer)), os.kill(pid, signal.SIGKILL)))
    killer.start()
    with pytest.raises(Unavailable, match=r"^the renderer was killed from outside at (a.j2|values/)$"):
        render(renderer, {"a.j2": ENDLESS})
    killer.join()
    assert_works(renderer)


@pytest.mark.slow
def test_a_host_without_time_is_nobodys_mistake(make: Callable[..., Renderer]) -> None:
    renderer = make(timeout=1, patience=1)
    assert_works(renderer)
    os.kill(pid_of(renderer), signal.SIGSTOP)
    with pytest.raises(Unavailable, match=r"^the renderer was given no time by the host at values/$"):
        render(renderer, FINE)
    assert_works(renderer)


def test_close_ends_a_rendering(make: Callable[..., Renderer]) -> None:
    renderer = make()
    pid = pid_of(renderer)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            render(renderer, {"a.j2": ENDLESS})
        except Unavailable as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    _await(lambda: _is_rendering(renderer))
    renderer.close()
    worker.join(5)
    assert [str(error) for error in errors] == ["the renderer is closed"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(Unavailable, match="the renderer is closed"):
        render(renderer, FINE)
    renderer.close()


@on_linux
@pytest.mark.slow
def test_nothing_is_left_behind() -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(3):
        renderer = Renderer(timeout=0.2, patience=100)
        with pytest.raises(InvalidRevision):
            render(renderer, {"a.j2": ENDLESS})
        renderer.close()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


@on_linux
def test_the_child_has_nothing(make: Callable[..., Renderer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Failure mode 18: a template that breaks out of its sandbox finds no token, no key, no descriptor and no way to write."""
    monkeypatch.setenv("CANARY_TOKEN", "value")
    renderer = make()
    with Path(os.devnull).open() as inherited:
        process.inherited.add(inherited.fileno())
        pid = pid_of(renderer)
        process.inherited.discard(inherited.fileno())
        assert_works(renderer)
    child = Path(f"/proc/{pid}")
    assert (child / "environ").read_bytes() == b""
    assert sorted(path.name for path in (child / "fd").iterdir()) == ["0", "1", "2"]
    assert (child / "cwd").readlink() == Path("/")
    limits = {line[:25].strip(): line[26:].split()[:2] for line in (child / "limits").read_text().splitlines()[1:]}
    assert limits["Max address space"] == [str(128 << 20)] * 2
    for name in ("Max file size", "Max processes", "Max core file size"):
        assert limits[name] == ["0", "0"]
    assert limits["Max open files"] == ["16", "16"]


@on_linux
def test_the_child_is_small(make: Callable[..., Renderer]) -> None:
    renderer = make()
    pid = pid_of(renderer)
    render(renderer, {f"{number}.j2": b"{% for i in range(9) %}{{ i }}{% endfor %}" for number in range(50)})
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    assert kib <= 21 << 10


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "gitops_agent.render.child",
            "pydantic git flask sqlalchemy requests docker watchdog gitops_agent.target gitops_agent.settings",
        ),
        ("gitops_agent.render", "jinja2 pydantic yaml"),
    ],
)
def test_who_imports_what(module: str, absent: str) -> None:
    code = f"import sys, {module}; print([name for name in {absent.split()} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_warm_render_is_fast(make: Callable[..., Renderer]) -> None:
    files = {f"{number}.conf.j2": b"server_name {{ environment }};\nlisten {{ port }};\n" * 10 for number in range(50)}
    files["values/common.yaml"] = b"port: 80\n"
    renderer = make()
    render(renderer, files)
    assert min(_seconds(lambda: render(renderer, files)) for _ in range(10)) < 0.05


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _is_rendering(renderer: Renderer) -> bool:
    return renderer._peer is not None and renderer._peer.used


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
