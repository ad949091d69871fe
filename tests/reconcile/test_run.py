"""What one run does with its targets: order, trouble, and what it leaves untouched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Superseded, Unavailable, UnsafePlan
from gitops_agent.model import Health, HealthStatus, Outcome, Run
from gitops_agent.reconcile import Progress, Reconciler, SawnOff, Waiting, carry_out
from gitops_agent.render import Renderer
from gitops_agent.source import Remote, Source
from gitops_agent.target import Site
from tests.reconcile.memory import MemoryTarget, ServingTarget, System, WholeTarget, settings

KEY = b"k" * 32


class Stage:
    """A config repo, some systems and a reconciler over them."""

    def __init__(self, path: Path, *targets: MemoryTarget, secrets: dict[str, str] | None = None) -> None:
        self.repository = path / "config"
        self.secrets = secrets if secrets is not None else {}
        subprocess.run(["git", "init", "-q", "-b", "main", self.repository], check=True)
        remote = Remote(url=str(self.repository), branch="main", timeout=20)
        self.source = Source(remote, path / "state", "test")
        self.renderer = Renderer(10, 256 << 20)
        self.reconciler = Reconciler(
            "test",
            source=self.source,
            renderer=self.renderer,
            targets=targets,
            lookup=self._lookup,
            key=KEY,
            state=path / "state",
        )
        self.progress = self._progress()

    def _lookup(self, reference: str) -> str:
        try:
            return self.secrets[reference]
        except KeyError:
            raise Unavailable(f"secret {reference!r} does not exist yet") from None

    def _progress(self) -> Progress:
        return Progress(Run("run", "test", "test", self.source.applied(), 0.0))

    def commit(self, **files: str | None) -> None:
        """`a__x="text"` writes a/x; None removes it."""
        for name, text in files.items():
            path = self.repository / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text)
        subprocess.run(["git", "-C", self.repository, "add", "-A"], check=True)
        subprocess.run(["git", "-C", self.repository, "commit", "-qm", "change"], check=True)

    def run(self, *, whole: bool = True, settle: bool = False, stop=lambda: None, consented=()) -> Progress:
        """One run of the newest commit; raises what ended it."""
        revision = self.source.fetch()
        self.progress = self._progress()
        prepared = self.reconciler.prepare(revision, self.progress, whole=whole, consented=consented)
        waiting = Waiting(stop, pause=lambda _seconds: None, source_grace=0.1)
        carry_out(
            prepared, self.source, self.progress, waiting, secrets=self.reconciler.known_secrets(), settle=settle, fetched=True
        )
        self.reconciler.succeeded(prepared)
        return self.progress

    def fails(self, error: type[AgentError], **options: object) -> AgentError:
        with pytest.raises(error) as caught:
            self.run(**options)
        return caught.value


@pytest.fixture
def happened():
    return []


@pytest.fixture
def make(tmp_path, happened):
    """`make("a", "b")`: a stage with memory targets of these names; `kinds` and `options` by name."""
    stages = []

    def build(*names, kinds=None, options=None, secrets=None):
        targets = []
        for name in names:
            kind = (kinds or {}).get(name, MemoryTarget)
            directory = tmp_path / name
            directory.mkdir()
            made = settings(name, **(options or {}).get(name, {}))
            targets.append(kind(made, Site("test", directory, KEY), System(name, happened)))
        stage = Stage(tmp_path, *targets, secrets=secrets)
        stages.append(stage)
        return (stage, *(target.system for target in targets))

    yield build
    for stage in stages:
        stage.renderer.close()
        stage.source.close()


def test_targets_are_written_in_order_and_deletions_come_last_in_reverse(make, happened):
    """Failure mode 38."""
    stage, *_ = make("a", "b")
    stage.commit(a__x="1", a__keep="1", b__x="1", b__keep="1")
    stage.run()
    stage.commit(a__x=None, a__y="1", b__x=None, b__y="1")
    happened.clear()
    stage.run()
    assert happened == ["a create y", "b create y", "b delete x", "a delete x"]


def test_a_target_that_publishes_everything_at_once_deletes_in_its_turn(make, happened):
    stage, *_ = make("a", "b", kinds={"a": WholeTarget})
    stage.commit(a__x="1", b__x="1", a__keep="1")
    stage.run()
    stage.commit(a__x=None, b__y="1")
    happened.clear()
    stage.run()
    assert happened == ["a delete x", "b create y"]


def test_the_same_revision_twice_writes_nothing(make, happened):
    """Failure mode 19."""
    stage, *_ = make("a")
    stage.commit(a__x="1")
    stage.run()
    happened.clear()
    assert stage.run().results["a"].message == "no changes"
    assert happened == []
    assert not stage.progress.touched


@pytest.mark.parametrize("content", ["garbage", "invalid", "{{ undefined_name }}"])
def test_a_mistake_in_any_folder_touches_nothing_anywhere(make, happened, content):
    """Failure modes 12, 13."""
    stage, *_ = make("a", "b")
    name = "b__x.j2" if "{{" in content else "b__x"
    stage.commit(**{"a__x": "1", name: content})
    error = stage.fails(InvalidRevision)
    assert str(error).startswith("b/x")
    assert happened == []
    assert not stage.progress.touched


def test_a_folder_without_files_is_a_mistake_and_deletes_nothing(make, happened):
    """Failure modes 14, 30: a moved or misspelt folder."""
    stage, *_ = make("a", "b")
    stage.commit(a__x="1", b__x="1")
    stage.run()
    happened.clear()
    stage.commit(b__x=None, c__x="1")
    assert "'b' has no file" in str(stage.fails(InvalidRevision))
    assert happened == []


def test_what_an_earlier_target_brings_up_is_planned_when_its_turn_comes(make, happened):
    stage, a, b = make("a", "b")
    b.reachable = False
    a.on_write = lambda _name: setattr(b, "reachable", True)
    stage.commit(a__x="1", b__x="1")
    stage.run()
    assert happened == ["a create x", "b create x"]


def test_what_stays_away_is_skipped_while_the_others_go_on(make, happened):
    """Failure mode 46."""
    stage, _, b, _ = make("a", "b", "c")
    b.reachable = False
    stage.commit(a__x="1", b__x="1", c__x="1")
    assert "b skipped: b is away" in str(stage.fails(Unavailable))
    assert happened == ["a create x", "c create x"]
    outcomes = {name: result.outcome for name, result in stage.progress.results.items()}
    assert outcomes == {"a": Outcome.SUCCESS, "b": Outcome.ERROR, "c": Outcome.SUCCESS}
    b.reachable = True
    stage.run()
    assert happened[-1] == "b create x"


def test_what_a_later_target_starts_is_looked_at_once_more(make, happened):
    """A container's server, where what is in it comes first: a role gets its new password before its users are restarted."""
    stage, a, b, _ = make("a", "b", "c")
    a.reachable = False
    a.content["gone"] = "1"
    b.on_write = lambda _name: setattr(a, "reachable", True)
    stage.commit(a__x="1", b__x="1", c__x="1")
    stage.run()
    assert happened == ["b create x", "c create x", "a create x", "a delete gone"]
    assert {result.outcome for result in stage.progress.results.values()} == {Outcome.SUCCESS}


def test_what_stays_away_is_not_looked_at_once_more_where_nothing_was_written(make):
    stage, a, b = make("a", "b")
    a.reachable = False
    b.content["x"] = "1"
    stage.commit(a__x="1", b__x="1")
    stage.fails(Unavailable)
    assert a.looks == 2, "when everything was planned, and when its turn came"


def test_invalid_content_found_late_fails_that_target_only(make, happened):
    stage, a, b = make("a", "b")
    b.reachable = False
    a.on_write = lambda _name: setattr(b, "reachable", True)
    stage.commit(a__x="1", b__x="invalid")
    assert str(stage.fails(InvalidRevision)).startswith("b/x:2")
    assert happened == ["a create x"]
    assert stage.progress.results["b"].outcome is Outcome.FAILURE


def test_after_a_failure_the_rest_is_not_attempted_and_says_so(make, happened):
    """Failure mode 39."""
    stage, _, b, _ = make("a", "b", "c")
    b.refuses = "x"
    stage.commit(a__x="1", b__x="1", c__x="1")
    stage.fails(ApplyFailed)
    assert happened == ["a create x"]
    results = stage.progress.results
    assert results["b"].outcome is Outcome.FAILURE
    assert results["c"].message == "not attempted: b failed"


def test_degraded_health_fails_the_run_and_the_retry_looks_again(make):
    """A retry finds nothing to change, but what an earlier attempt changed must still become healthy (failure modes 42, 52)."""
    stage, a = make("a")
    a.health = Health(HealthStatus.DEGRADED, "crash loop")
    stage.commit(a__x="1")
    assert "crash loop" in str(stage.fails(ApplyFailed))
    assert "crash loop" in str(stage.fails(ApplyFailed, settle=True))
    a.health = Health(HealthStatus.HEALTHY)
    stage.run(settle=True)


def test_health_that_never_comes_ends_at_its_time_limit(make):
    stage, a = make("a", options={"a": {"health_timeout": 0.05}})
    a.health = Health(HealthStatus.PROGRESSING, "1 of 2 ready")
    stage.commit(a__x="1")
    assert "did not become healthy within 0.05 s: 1 of 2 ready" in str(stage.fails(ApplyFailed))


def test_who_waits_for_what_comes_later_ends_with_the_cause_and_the_next_commit_mends_it(make):
    """Failure mode 41: the list is the order, and no run waits for ever in it."""
    stage, a, b = make("a", "b", options={"a": {"health_timeout": 0.05}})

    def look(_name: str) -> None:
        stuck = a.content.get("x") == "needs y of b" and "y" not in b.content
        a.health = Health(HealthStatus.PROGRESSING, "b has no y") if stuck else Health(HealthStatus.HEALTHY)

    a.on_write = look
    stage.commit(a__x="needs y of b", b__y="1")
    assert "did not become healthy within 0.05 s: b has no y" in str(stage.fails(ApplyFailed))
    assert stage.progress.results["b"].message == "not attempted: a failed"
    stage.commit(a__x="needs nothing")
    stage.run()
    assert b.content == {"y": "1"}


def test_a_newer_revision_ends_the_run_between_two_changes_never_inside_one(make, happened):
    stage, *_ = make("a")
    stage.commit(a__1="1", a__2="1", a__3="1")

    def stop() -> None:
        if len(happened) == 2:
            raise Superseded(None)

    stage.fails(Superseded, stop=stop)
    assert happened == ["a create 1", "a create 2"]
    stage.run()
    assert happened == ["a create 1", "a create 2", "a create 3"]


def test_sawing_off_the_branch_brings_the_target_back_and_rejects(make):
    stage, a, _ = make("a", "b")
    moved = stage.repository.with_suffix(".gone")
    a.on_write = lambda _name: stage.repository.rename(moved)
    stage.commit(a__x="1", b__x="1")
    error = stage.fails(SawnOff)
    assert "since a was applied" in str(error)
    assert a.restored
    assert stage.progress.results["b"].message == "not attempted: a failed"


def test_deleting_nearly_everything_needs_consent_to_that_very_plan(make, happened):
    """Failure mode 30."""
    stage, *_ = make("a")
    stage.commit(**{f"a__{index}": "1" for index in range(12)})
    stage.run()
    happened.clear()
    stage.commit(**{f"a__{index}": None for index in range(11)})
    error = stage.fails(UnsafePlan)
    assert error.digest in str(error)
    assert happened == []
    stage.run(consented=[error.digest])
    assert len(happened) == 11


def test_a_deletion_that_fails_stays_owned_and_is_done_by_the_next_run(make, happened):
    """Failure mode 35."""
    stage, a = make("a")
    stage.commit(a__x="1", a__y="1", a__keep="1")
    stage.run()
    stage.commit(a__x=None, a__y=None)
    a.refuses = "x"
    stage.fails(ApplyFailed)
    assert "x" in a.content
    a.refuses = ""
    stage.run()
    assert a.content == {"keep": "1"}


def test_a_commit_elsewhere_is_no_change_here(make, happened):
    """Failure mode 26: nothing of ours in a resource changes with the commit."""
    stage, *_ = make("a", "b")
    stage.commit(a__x="1", b__x="1")
    stage.run()
    happened.clear()
    stage.commit(b__x="2")
    results = stage.run().results
    assert happened == ["b update x"]
    assert [name for name, result in results.items() if result.changed] == ["b"]


class TestDrift:
    @pytest.mark.parametrize(("policy", "left"), [("heal", "1"), ("report", "by hand"), ("ignore", "by hand")])
    def test_each_policy(self, make, policy, left):
        stage, a = make("a", options={"a": {"drift": policy}})
        stage.commit(a__x="1")
        stage.run()
        a.content["x"] = "by hand"
        progress = stage.run(whole=False)
        assert a.content["x"] == left
        assert any(result.drift for result in progress.results.values()) is (policy == "report")

    def test_time_that_has_come_is_no_drift(self, make):
        stage, a = make("a", options={"a": {"drift": "report"}})
        stage.commit(a__x="1", a__clock="noon")
        stage.run()
        a.content.update(x="by hand", clock="one")
        result = stage.run(whole=False).results["a"]
        assert a.content == {"x": "by hand", "clock": "noon"}
        assert (result.changed, result.drift, result.message) == (True, True, "1 updated; drift: 1 updated")

    def test_a_new_revision_is_applied_whole(self, make):
        stage, a = make("a", options={"a": {"drift": "ignore"}})
        stage.commit(a__x="1")
        stage.run()
        a.content["x"] = "by hand"
        stage.commit(a__y="1")
        stage.run()
        assert a.content == {"x": "1", "y": "1"}

    def test_a_rotated_secret_is_no_drift(self, make):
        secrets = {"file:password": "first-value"}
        stage, a = make("a", options={"a": {"drift": "report", "secrets": ["file:*"]}}, secrets=secrets)
        stage.commit(**{"a__x.j2": "{{ secret('file:password') }}"})
        stage.run()
        secrets["file:password"] = "second-value"
        stage.run(whole=False)
        assert a.content["x"] == "second-value"


class TestSecrets:
    def test_before_the_store_is_up_only_files_serve(self, make, happened):
        stage, *_ = make("a", "vault", kinds={"vault": ServingTarget}, options={"a": {"secrets": ["*"]}})
        stage.commit(**{"a__x.j2": "\n{{ secret('kv/app#password') }}", "vault__x": "1"})
        error = stage.fails(InvalidRevision)
        assert str(error).startswith("a/x")
        assert "must be a file: reference" in str(error)

    def test_one_that_does_not_exist_yet_skips_its_target_only(self, make, happened):
        stage, *_ = make("a", "b", options={"a": {"secrets": ["file:*"]}})
        stage.commit(**{"a__x.j2": "{{ secret('file:later') }}", "b__x": "1"})
        assert "'file:later' does not exist yet" in str(stage.fails(Unavailable))
        assert happened == ["b create x"]

    def test_what_is_remembered_of_a_run_holds_no_value(self, make):
        secrets = {"file:password": "canary-value-1"}
        stage, _ = make("a", options={"a": {"secrets": ["file:*"]}}, secrets=secrets)
        stage.commit(**{"a__x.j2": "{{ secret('file:password') }}"})
        progress = stage.run()
        kept = json.dumps([*progress.run.plans]) + repr(progress.run) + (stage.repository.parent / "state/secrets.json").read_text()
        assert "canary-value-1" not in kept
        assert "(sensitive)" in kept
