"""The task file that judges: of Concourse's own form, its first input is what is judged."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gitops_agent.concourse import Plan, git, in_order, task, uploaded
from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import CHANGED, PACKED

_STEP = "validate"
_MOST_SAID = 32_768
"""Bytes of a variable; Linux takes 131,072 for one."""
_MOST_CARRIED = 96_000
"""Bytes of an archive that goes with the task, in a variable: a third more there, in base64."""


@dataclass(frozen=True)
class TaskFile:
    """`given` is the name of its first input. One without inputs is given the files all the same, and looks at none."""

    config: Mapping[str, Any] = field(repr=False)
    given: str

    @classmethod
    def parse(cls, path: str, content: bytes, image: Mapping[str, Any]) -> TaskFile:
        """`image` is the `image_resource` of one that names none. Raises InvalidRevision for what is no task."""
        document = Document(path, content)
        config = None if document.root is None else document.plain(document.root)
        if not isinstance(config, dict):
            raise InvalidRevision("is no task: it must be a mapping", file=path)
        if image and not {"image_resource", "rootfs_uri"} & config.keys():
            config = {**config, "image_resource": image}
        inputs = config.get("inputs") or [{"name": "files"}]
        try:
            return cls(config, str(inputs[0]["name"]))
        except (TypeError, KeyError, IndexError):
            raise InvalidRevision("its first input has no name", file=path) from None

    def told(self, changed: Iterable[str]) -> TaskFile:
        """One that finds the paths that `changed` in its environment, where they are few enough for that."""
        said = "\n".join(sorted(changed))
        if not said or len(said) > _MOST_SAID:
            return self
        return self._with(CHANGED, said)

    def on(self, archive: bytes, upload: Callable[[bytes], int]) -> Plan:
        """A build that judges the files in `archive`. They are its input, which `upload` sends to Concourse; or go with the task
        that says so, where they are few enough: an input is a volume, and those Concourse waits for."""
        if PACKED in self._params and len(archive) <= _MOST_CARRIED:
            carrying = self._with(PACKED, b64encode(archive).decode()).config
            return in_order(task(_STEP, {**carrying, "inputs": list(carrying.get("inputs") or ())[1:]}))
        return in_order(uploaded(self.given, upload(archive)), task(_STEP, self.config))

    def on_commit(self, source: Mapping[str, Any], sha: str) -> Plan:
        """One that fetches the commit itself."""
        return in_order(git(self.given, source, sha), task(_STEP, self.config))

    @property
    def _params(self) -> Mapping[str, Any]:
        params = self.config.get("params")
        return params if isinstance(params, Mapping) else {}

    def _with(self, name: str, value: str) -> TaskFile:
        return replace(self, config={**self.config, "params": {**self._params, name: value}})
