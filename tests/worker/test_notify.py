"""Notifications, with the agent as a process: changes are told, through a real Apprise, and no run waits for that."""

from __future__ import annotations

import pytest

from tests.report.test_herald import Service, service  # noqa: F401 -- the fixture
from tests.worker.running import Running, eventually

pytestmark = pytest.mark.slow


def test_a_bad_commit_and_its_end_are_told_once_also_over_a_kill_and_nothing_is_shown(agent: Running, service: Service) -> None:  # noqa: F811
    (agent.path / "notify").write_text(f"# ours\n{service.address}\n\njson://127.0.0.1:9/nobody-t0ps3cret\n")
    agent.configure(notify_file=str(agent.path / "notify"))
    agent.start()
    agent.settled(agent.author.push({"pages/a": "1"}))
    bad = agent.author.push({"pages/b.j2": "{{ missing }}"})
    agent.settled(bad, "error")
    eventually(lambda: service.titles() == ["test: error"], timeout=60)
    assert bad[:10] in service.heard[0]["message"]
    told = agent.path.glob("state/test/told-*.json")
    eventually(lambda files=list(told): any('"news": null' in file.read_text() for file in files), what="noted that it was told")
    agent.kill()
    agent.start()  # looks at the bad commit once more
    eventually(lambda: any(run["trigger"] == "start" and run["revision"]["sha"] == bad for run in agent.api("/runs")["runs"]))
    (agent.path / "pages/current/a").write_text("by hand")
    eventually(lambda: agent.published("pages", "a") == "1", what="drift is healed, which is no recovery")
    good = agent.author.push({"pages/b.j2": None})
    agent.settled(good)
    eventually(lambda: len(service.heard) > 1, timeout=60)
    assert service.titles() == ["test: error", "test: recovered"]
    assert agent.stop() == 0
    assert "t0ps3cret" not in agent.log.read_text()


def test_a_storm_with_a_service_that_hangs_is_as_quick_as_without(agent: Running, service: Service) -> None:  # noqa: F811
    service.patience.clear()
    (agent.path / "notify").write_text(service.address)
    agent.configure(notify_file=str(agent.path / "notify"))
    agent.start()
    agent.settled(agent.author.push({"pages/a": "0"}))
    for number in range(15):
        agent.author.push({"pages/b.j2": "{{ missing }}" if number % 2 else "fine", "pages/a": f"{number}"})
    last = agent.author.push({"pages/b.j2": "fine", "pages/a": "last"})
    agent.settled(last)
    assert agent.published("pages", "a") == "last"
    assert not service.heard
    agent.kill()
    agent.start(ready=True)  # what the killed agent was sending keeps no lock
    service.patience.set()
    broken = agent.author.push({"pages/b.j2": "{{ missing }}"})
    agent.settled(broken, "error")
    eventually(lambda: [message for message in service.heard if broken[:10] in message["message"]], timeout=60)
