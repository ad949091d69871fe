"""`on_failure = "restore"`: a revision that did not work out is rejected, and the last applied one is brought back at once.

What is under way is in refs of the mirror: an agent that was killed in the middle goes on where it was, and one whose way back
failed does not try for ever. When it was begun is in a file beside the mirror: however often agents are killed, its time is
limited.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from gitops_agent.errors import AgentError, ApplyFailed, Conflict, Retry, Superseded, Unavailable
from gitops_agent.model import Outcome, Revision
from gitops_agent.reconcile import Progress, Reconciler, TargetResult, Waiting, carry_out
from gitops_agent.settings import EnvironmentSettings, OnFailure

_log = logging.getLogger(__name__)
_AGAIN = 2.0
"""Seconds before the way back is tried again where something could not be reached; doubles up to half a minute."""


Say: TypeAlias = Callable[[str], None]


class Restored(ApplyFailed):
    """The revision did not work out; the message says what became of the way back. It is not tried again by itself."""

    retry = Retry.NEVER_FOR_THIS_REVISION


class Restoration:
    """The way back of one environment."""

    def __init__(self, reconciler: Reconciler, settings: EnvironmentSettings, directory: Path) -> None:
        """`directory` is the environment's own."""
        self._began = directory / "restoring"
        self._reconciler = reconciler
        self._source = reconciler.source
        self._timeout = settings.restore_timeout if settings.on_failure is OnFailure.RESTORE else 0
        self._ended: tuple[Revision, bool] | None = None

    @property
    def cut_short(self) -> Revision | None:
        """The revision that did not work out, where bringing back what was applied before was begun and not ended."""
        return self._source.restoring() if self._timeout else None

    def held_at(self, applied: Revision | None) -> Revision | None:
        """What the systems are held at while the branch's head is no good; nothing once that could not be brought back."""
        return None if self._timeout and self._source.unrestored() is not None else applied

    def after(
        self, error: Exception | None, progress: Progress, stop: Callable[[], None], pause: Callable[[float], None], say: Say
    ) -> Exception | None:
        """How a whole run ends that `error` would have ended: brings back what was applied before, where that is due. What could
        not be reached, and a lost race, are not the commit's fault: it is tried again."""
        if error is None or isinstance(error, (Superseded, Unavailable, Conflict)) or not (self._timeout and progress.touched):
            return error
        applied = self._source.applied()
        if applied is None or applied == progress.run.revision:
            return error
        say(f"bringing back {applied.short}; {_said(error)}")
        return self._run(applied, progress, stop, pause, error)

    def go_on(self, applied: Revision, progress: Progress, stop: Callable[[], None], pause: Callable[[float], None]) -> Exception:
        """The same for one that was cut short: a run of the revision that did not work out, which only brings back `applied`."""
        progress.touched = True
        return self._run(applied, progress, stop, pause, None)

    def _run(
        self,
        applied: Revision,
        progress: Progress,
        stop: Callable[[], None],
        pause: Callable[[float], None],
        cause: Exception | None,
    ) -> Exception:
        """Restored, or Superseded when the agent was told to stop in the middle."""
        failed = progress.run.revision
        why = f"; {_said(cause)}" if cause is not None else ", begun in an earlier run"
        undoing = progress.undoing()
        try:
            if cause is not None:
                self._note_beginning()
                self._source.mark_restoring(failed)
            self._bring_back(applied, undoing, stop, pause, settle=cause is None)
        except Superseded as error:
            if error.successor is None:
                return error
            return Restored(f"{error.successor.short} came before {applied.short} was back{why}")
        except Exception as error:  # noqa: BLE001 -- whatever it is, the commit gets its outcome
            if not isinstance(error, AgentError):
                _log.exception("a bug of ours", extra={"run": progress.run.id})
            self._ended = failed, False
            return Restored(f"{applied.short} could not be brought back: {_said(error)}{why}")
        finally:
            _merge(progress, undoing)
        self._ended = failed, True
        left = [name for result in undoing.results.values() for name in result.left]
        return Restored(f"brought back {applied.short}{_listed(left)}{why}")

    def concluded(self) -> None:
        """The outcome is reported: what a killed agent would go on with is taken away."""
        if self._ended is not None:
            (failed, well), self._ended = self._ended, None
            try:
                self._source.mark_restored(failed, well=well)
                with suppress(OSError):
                    self._began.unlink(missing_ok=True)
            except AgentError as error:  # then it is done once more, and finds nothing to do
                _log.warning("cannot note that the way back is over", extra={"why": str(error)})

    def _note_beginning(self) -> None:
        try:
            self._began.write_text(f"{time.time()}\n")
        except OSError as error:  # then another agent would begin to count anew
            _log.warning("cannot note when the way back began", extra={"file": str(self._began), "why": error.strerror})

    def _time_left(self) -> float:
        """Seconds; by the clock on the wall, as it may have been another boot that began."""
        try:
            ran = time.time() - float(self._began.read_text())
        except (OSError, ValueError):
            ran = 0.0
        return self._timeout - max(0.0, ran)

    def _bring_back(
        self, applied: Revision, undoing: Progress, stop: Callable[[], None], pause: Callable[[float], None], *, settle: bool
    ) -> None:
        deadline = time.monotonic() + self._time_left()

        def in_time() -> None:
            stop()
            if time.monotonic() > deadline:
                raise ApplyFailed(f"it took longer than {self._timeout:g} s")

        delay = _AGAIN
        while True:
            try:
                prepared = self._reconciler.prepare(applied, undoing, stop=in_time, back=True)
                secrets = self._reconciler.known_secrets()
                # The source is not asked: with what was applied before, it could be reached.
                carry_out(prepared, self._source, undoing, Waiting(in_time, pause), secrets=secrets, settle=settle, fetched=False)
            except Unavailable:  # perhaps what is being brought back brings it
                if time.monotonic() + delay > deadline:
                    raise
                until = time.monotonic() + delay
                while time.monotonic() < until:
                    pause(until - time.monotonic())
                    in_time()
                delay, settle = min(2 * delay, 30.0), True
            else:
                self._reconciler.succeeded(prepared)
                return


def _merge(progress: Progress, undoing: Progress) -> None:
    """On the commit that did not work out nothing is green that was taken back."""
    for name, undone in undoing.results.items():
        before = progress.results.get(name)
        said = f"; {before.message}" if before is not None and before.outcome is not Outcome.SUCCESS else ""
        if undone.outcome is not Outcome.SUCCESS:
            words = f"not brought back: {undone.message}"
        elif undone.changed or undone.left or said:
            words = f"brought back: {undone.message}"
        elif before is not None and before.changed:
            words = "brought back"
        else:
            continue
        progress.results[name] = TargetResult(Outcome.FAILURE, f"{words}{said}", changed=True, left=undone.left)


def _listed(left: list[str]) -> str:
    return f", but {', '.join(left)} {'is left as it is' if len(left) == 1 else 'are left as they are'}" if left else ""


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, AgentError) else f"internal error: {type(error).__name__}"
