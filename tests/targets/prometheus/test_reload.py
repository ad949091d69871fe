"""What promtool and Prometheus say no to, and what happens then."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.model import HealthStatus
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_becomes_healthy, assert_holds
from tests.targets.prometheus.subject import PrometheusSubject, main, rules
from tests.targets.supervised import get

pytestmark = pytest.mark.server


@pytest.fixture
def subject(tmp_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PrometheusSubject]:
    subject = PrometheusSubject(tmp_path, binary, free_port())
    with subject.server.running():
        yield subject
    subject.close()


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("prometheus.yml", b"global:\n  scrape: 1h\n", "prometheus.yml:2: field scrape not found"),
        ("rules/b.yml", rules("b", "sum(("), 'rules/b.yml:5: group "b", rule 1, "job:b": could not parse expression'),
        ("rules/b.yml", b"groups:\n- name: b\n  rules:\n  - recod: x\n", "rules/b.yml:4: field recod not found"),
    ],
)
def test_the_author_is_told_file_and_line(subject: PrometheusSubject, path: str, content: bytes, said: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        plan(subject.target(), {**subject.first, path: content})
    assert str(raised.value).startswith(said)


def test_a_folder_without_the_main_file_is_refused(subject: PrometheusSubject) -> None:
    with pytest.raises(InvalidRevision, match=r"prometheus.yml: is missing"):
        plan(subject.target(), {"rules/a.yml": rules("a", "up")})


def test_a_credentials_file_that_is_not_there_yet_is_not_the_authors_mistake(subject: PrometheusSubject) -> None:
    scrape = b"scrape_configs:\n- job_name: a\n  authorization: {credentials_file: /nonexistent/token}\n"
    with pytest.raises(Unavailable, match="/nonexistent/token"):
        plan(subject.target(), {**subject.first, "prometheus.yml": scrape})


def test_absolute_paths_are_checked_in_the_copy(subject: PrometheusSubject) -> None:
    """As the program sees them in its container. Without it promtool would find no rules there, and say so of none."""
    files = {
        "prometheus.yml": b"rule_files: [/etc/prometheus/current/rules/*.yml]\n",
        "rules/a.yml": rules("a", "sum(("),
    }
    with pytest.raises(InvalidRevision, match=r"rules/a.yml:5"):
        plan(subject.target(seen_as="/etc/prometheus"), files)


def test_a_refused_reload_brings_the_previous_files_back(subject: PrometheusSubject) -> None:
    target = subject.target(check=[])
    converge(target, subject.first)
    assert_becomes_healthy(target, subject)
    with pytest.raises(ApplyFailed, match=r"prometheus refused the new files.*; the previous files are back"):
        converge(target, {**subject.first, "prometheus.yml": b"global: ["}, applied=subject.first)
    assert_holds(subject, subject.first)
    assert_becomes_healthy(target, subject)
    assert not plan(subject.target(), subject.first, applied=subject.first)


def test_a_reload_that_is_switched_off_says_what_to_do(
    tmp_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]
) -> None:
    class WithoutReload(PrometheusSubject):
        flags = ()

    subject = WithoutReload(tmp_path, binary, free_port())
    with subject.server.running():
        target = subject.target()
        converge(target, subject.first)
        assert_becomes_healthy(target, subject)
        with pytest.raises(ApplyFailed, match=r"--web.enable-lifecycle"):
            converge(target, subject.second, applied=subject.first)
        assert_holds_on_disk(subject)
        subject.close()


def assert_holds_on_disk(subject: PrometheusSubject) -> None:
    assert {path: (subject.live / path).read_bytes() for path in subject.first} == subject.first


def test_a_reload_by_hand_that_was_refused_is_no_health(subject: PrometheusSubject) -> None:
    target = subject.target()
    converge(target, subject.first)
    assert_becomes_healthy(target, subject)
    (subject.live / "prometheus.yml").write_bytes(b"global: [")
    with pytest.raises(OSError, match="500"):
        urllib.request.urlopen(urllib.request.Request(f"{subject.url}/-/reload", method="POST"), timeout=10)
    assert target.health().status is HealthStatus.DEGRADED
    assert "refused" in target.health().reason
    converge(target, subject.first, applied=subject.first)
    assert target.health().status is HealthStatus.HEALTHY


def test_a_command_that_reloads_nothing_is_found_out(subject: PrometheusSubject) -> None:
    """The metric that says «successful» is from the start; the time beside it has to move."""
    target = subject.target(reload=["true"], reload_timeout="300ms")
    converge(target, subject.first)
    assert_becomes_healthy(target, subject)
    with pytest.raises(ApplyFailed, match="has not reloaded its configuration within"):
        converge(target, {**subject.first, "prometheus.yml": main("own")}, applied=subject.first)
    assert get(f"{subject.url}/-/ready").startswith("Prometheus")
