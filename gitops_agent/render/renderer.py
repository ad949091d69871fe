"""The parent's side: hands trees to the child, watches it, and replaces it when it breaks its limits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Files, Revision
from gitops_agent.render.peer import Cause, Died, Peer
from gitops_agent.render.tree import Tree, sort
from gitops_agent.secret import signing_key

_MOST_OUTPUT = 32 << 20
"""Bytes of all rendered files together."""


class Renderer:
    """One child process, and one rendering at a time.

    `timeout` is in seconds of the processor: a busy host is not the author's mistake. By the clock it may take `patience` times as
    long before the host is too busy to render at all. `memory` is in bytes.
    """

    def __init__(self, timeout: float = 10, memory: int = 256 << 20, *, patience: float = 3) -> None:
        self._timeout = timeout
        self._patience = patience
        self._memory = memory
        self._lock = threading.Lock()
        self._peer: Peer | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the child without waiting for it. Not needed, but the first rendering is a tenth of a second faster."""
        with self._lock:
            self._open()

    def close(self) -> None:
        """Ends the child, and with it a rendering that is under way in another thread."""
        self._closed = True
        peer = self._peer
        if peer is not None:
            peer.kill()
        with self._lock:
            if self._peer is not None:
                self._peer.end()
            self._peer = None

    def render(
        self, files: Files, environment: str, revision: Revision, key: bytes, wanted: Callable[[str], bool] | None = None
    ) -> Files:
        """The whole tree in, the whole tree out, by path: `*.j2` rendered, `_*` among them not put out, `values/` gone, everything
        else as it is. Secrets are placeholders. With `wanted` only files whose paths in the repository it says yes to come out.

        Raises InvalidRevision with file and line for what is wrong in a template or in values, and for a template that needs too
        much time, memory or room; Unavailable when the host keeps the child from working.
        """
        tree = sort(files, environment)
        if wanted is not None:
            tree = tree.only(wanted)
        if not tree.outputs and not tree.values:
            return tree.verbatim
        request = {
            "values": tree.values,
            "templates": tree.templates,
            "outputs": [*tree.outputs],
            "environment": environment,
            "revision": {"text": str(revision), "branch": revision.branch, "sha": revision.sha, "short": revision.short},
            "signing": signing_key(key).hex(),
            "seconds": self._timeout,
            "most": _MOST_OUTPUT,
        }
        with self._lock:
            texts = self._ask(request, tree)
        outputs = {output: text.encode() for output, text in zip(tree.outputs.values(), texts, strict=True)}
        return dict(sorted({**tree.verbatim, **outputs}.items()))

    def _ask(self, request: dict[str, Any], tree: Tree) -> list[str]:
        """Tries again in a fresh child where the old one may have died while nobody looked, or of what it remembered."""
        steps = [", ".join(tree.values) or "values/", *tree.outputs]
        while True:
            peer = self._open()
            answers: list[str] = []
            used = peer.used
            try:
                for answer in peer.ask(request, len(steps), self._timeout * self._patience):
                    if "error" in answer:
                        raise InvalidRevision(str(answer["error"]), file=str(answer["file"]), line=int(answer["line"]))
                    answers.append(str(answer["text"]))
            except Died as died:
                peer.end()
                self._peer = None
                self._open()  # the next one is not to wait for it
                if used and died.cause not in (Cause.TIME, Cause.CLOCK):
                    continue
                raise self._verdict(died, steps[len(answers)]) from None
            return answers[1:]

    def _open(self) -> Peer:
        if self._closed:
            raise Unavailable("the renderer is closed")
        if self._peer is None:
            self._peer = Peer(self._memory)
        return self._peer

    def _verdict(self, died: Died, rendered: str) -> Exception:
        """What is to be said of a death, and whose mistake it was. `rendered` is what the child was working on."""
        if died.cause is Cause.TIME:
            return InvalidRevision(f"rendering did not end within {self._timeout:g} s", file=rendered)
        if died.cause is Cause.MEMORY:
            return InvalidRevision(f"rendering needs more than {self._memory >> 20} MiB of memory", file=rendered)
        if died.cause is Cause.CRASHED:
            return InvalidRevision("rendering crashes the renderer", file=rendered)
        if died.cause is Cause.BROKEN:
            return RuntimeError(f"the renderer failed at {rendered}: {died.last_words or 'no message'}")
        return Unavailable(f"the renderer {died.cause.value} at {rendered}")
