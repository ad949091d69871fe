"""What is done inside containers: commands and signals, to reload a program or to let it leave."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gitops_agent.container.engine import Engine
from gitops_agent.container.members import Member
from gitops_agent.container.project import ProjectEngine
from gitops_agent.errors import ApplyFailed, CommandFailed
from gitops_agent.model import Change
from gitops_agent.targets.compose.behaviour import Behaviour, Command
from gitops_agent.targets.compose.declared import definition
from gitops_agent.targets.compose.observed import FILES

_PAUSE = 0.2


class Inside:
    def __init__(self, engine: ProjectEngine, inside: Engine) -> None:
        self._engine = engine
        self._inside = inside

    def before_stop(self, command: Command, members: Sequence[Member]) -> None:
        """A command has to succeed, after a signal the container has to end by itself: else it raises ApplyFailed and nothing
        is stopped."""
        for member in members:
            if member.state == "running":
                self._run(command, member)
                if command.signal:
                    self._await_end(member, command.timeout)

    def _await_end(self, member: Member, timeout: float) -> None:
        started = self._engine.life(member.id).started
        deadline = time.monotonic() + timeout
        while any(other.id == member.id and other.state == "running" for other in self._engine.members()):
            if self._engine.life(member.id).started != started:
                return  # it has ended, and its restart policy has started it again
            if time.monotonic() > deadline:
                raise ApplyFailed(f"{member.name} did not end within {timeout:g} s after before_stop; it is left running")
            time.sleep(_PAUSE)

    def reload(self, change: Change, members: Sequence[Member]) -> None:
        if change.after is None or change.before is None:
            return
        for command in Behaviour.of(definition(change.after)).on_changes(change.before.spec[FILES]).commands:
            for member in members:
                self._run(command, member)

    def _run(self, command: Command, member: Member) -> None:
        container = self._inside.find(member.name)
        if container is None:
            raise ApplyFailed(f"{member.name} is gone")
        if command.signal:
            self._inside.signal(container, command.signal)
            return
        done = self._inside.execute(container, command.exec, timeout=command.timeout)
        if done.status:
            last = done.output.strip().splitlines()[-1:] or ["it said nothing"]
            raise CommandFailed(f"{command.exec[0]} in {member.name} exited with {done.status}: {last[0]}", output=done.output)
