"""What a fake Nomad keeps by name without check-and-set: namespaces, policies, roles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

Json = Any


class Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


class Things:
    """Named things without check-and-set."""

    def __init__(self, indexes: Iterator[int]) -> None:
        self._indexes = indexes
        self.things: dict[str, Json] = {}

    def one(self, name: str, missing: str) -> Json:
        if name not in self.things:
            raise Refused(404, missing)
        return self.things[name]

    def put(self, thing: Json) -> None:
        index = next(self._indexes)
        created = self.things.get(thing["Name"], {}).get("CreateIndex", index)
        digest = hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()
        self.things[thing["Name"]] = {**thing, "CreateIndex": created, "ModifyIndex": index, "Hash": digest}

    def delete(self, name: str, status: int = 0, missing: str = "") -> None:
        if name not in self.things and status:
            raise Refused(status, missing)
        self.things.pop(name, None)
