"""What takes as long to start as a command takes to be imported and to read its arguments: it is started before that."""

from __future__ import annotations

from gitops_agent.render import Renderer

_RENDER = frozenset({"check", "render"})
_started: list[Renderer] = []


def begin(command: str) -> None:
    """For the command of that name. What is not asked for in the end, `end` ends."""
    if command in _RENDER:
        renderer = Renderer()
        renderer.start()
        _started.append(renderer)


def renderer() -> Renderer:
    """The one that was started, or another; whoever asks closes it."""
    return _started.pop() if _started else Renderer()


def end() -> None:
    while _started:
        _started.pop().close()
