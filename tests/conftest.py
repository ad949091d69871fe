"""What every test needs: real servers on PATH, a quiet git, and no way to pass by skipping."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest

from tests.canary import canary  # noqa: F401 -- a fixture for every test

_TESTS = Path(__file__).parent
ROOT = _TESTS.parent

pytest.register_assert_rewrite("tests.conformance.holding")

# Whatever the environment says: without bytecode every one of some thousand processes compiles all that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Before anything is collected: modules may look for their server when they are imported.
_PROGRAMS = [str(ROOT / ".cache/servers/bin"), str(ROOT / ".venv/bin"), os.environ["PATH"], "/usr/sbin", "/sbin"]
os.environ["PATH"] = os.pathsep.join(_PROGRAMS)
os.environ.update(
    GIT_CONFIG_GLOBAL=os.devnull,
    GIT_CONFIG_NOSYSTEM="1",
    GIT_TERMINAL_PROMPT="0",
    GIT_AUTHOR_NAME="Test",
    GIT_AUTHOR_EMAIL="test@example.org",
    GIT_COMMITTER_NAME="Test",
    GIT_COMMITTER_EMAIL="test@example.org",
)

# A test that depends on how busy the host is says nothing. script/test looks at more examples than script/check has time for.
_EXAMPLES = {"quick": 20, "thorough": 100}
for _name, _examples in _EXAMPLES.items():
    _quiet = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(_name, max_examples=_examples, deadline=None, suppress_health_check=_quiet)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


_SLOW_SUITES = (
    "bootstrap/",
    "cli/test_check.py",
    "cli/test_hooks.py",
    "cli/test_remote.py",
    "cli/test_rollback.py",
    "cli/test_run.py",
    "concourse/",
    "doctor/",
    "gate/",
    "journal/test_runs.py",
    "journal/test_trouble.py",
    "plan/test_noninterference.py",
    "preview/",
    "render/test_renderer.py",
    "report/",
    "source/",
    "stack/",
    "targets/certificates/",
    "targets/concourse/",
    "targets/gitea/",
    "targets/grafana/",
    "targets/nomad/",
    "targets/test_alloy.py",
    "targets/test_consul_template.py",
    "targets/test_file_publishing.py",
    "targets/test_files.py",
    "targets/test_promtail_and_loki.py",
    "test_failure_modes.py",
    "test_post_receive.py",
    "test_provisioned_recorded.py",
    "web/test_openapi.py",
    "worker/test_notify.py",
    "worker/test_restoring.py",
    "worker/test_validation.py",
)
"""What takes seconds together, though no test of theirs may be slow: script/check leaves it out, script/test has it all."""


_LIVE_SUITES = ("live/",)
_SERVER_SUITES = ("container/", "together/")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What `-m` leaves out whole is not even imported: that takes as long as all unit tests."""
    left_out = config.option.markexpr
    for mark, suites in (("slow", _SLOW_SUITES), ("live", _LIVE_SUITES), ("server", _SERVER_SUITES)):
        if f"not {mark}" in left_out and collection_path.is_relative_to(_TESTS):
            name = f"{collection_path.relative_to(_TESTS)}{'/' if collection_path.is_dir() else ''}"
            if name.startswith(suites):
                return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(_SLOW_SUITES):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A `server` test cannot be skipped: a server that is missing is a failure, or CI would be green without it."""
    report = yield
    if report.skipped and item.get_closest_marker("server") and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a server test must not skip ({why}). script/servers installs what it needs."
    return report


@pytest.fixture(scope="session")
def binary() -> Callable[[str], str]:
    """`binary("consul")`: the path of a real server's program, from `CONSUL_BIN` or PATH; the test fails where there is none."""

    def find(name: str) -> str:
        path = os.environ.get(f"{name.upper().replace('-', '_')}_BIN") or shutil.which(name)
        if path is None:
            pytest.fail(f"{name} is not here: script/servers installs it", pytrace=False)
        return path

    return find


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """`free_port()`: a TCP port on loopback that nothing listens on, each time another one.

    Below the range that the kernel takes ports of outgoing connections from, and at random: tests run beside each other.
    """
    taken: set[int] = set()

    def find() -> int:
        while True:
            port = random.randrange(20_000, 32_000)
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                if port not in taken:
                    taken.add(port)
                    return port

    return find


@pytest.fixture
def public_path() -> Generator[Path, None, None]:
    """A directory that other users may enter, such as nginx' workers; pytest's own are for their owner alone. Its name is short."""
    with tempfile.TemporaryDirectory(prefix="gitops-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(autouse=True)
def forgotten() -> Generator[None, None, None]:
    """The agent never forgets a secret; but what one test makes secret is no secret in the next, where it may be a plain word."""
    from gitops_agent.secret import masking

    forms, values = dict(masking._forms), set(masking._values)
    yield
    masking._forms.clear()
    masking._forms.update(forms)
    masking._values.clear()
    masking._values.update(values)
