"""What parent and child say to each other: JSON with its length in front. Never pickle: the child runs what strangers wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

LENGTH = 4
"""Bytes of the length."""


def encode(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, ensure_ascii=False).encode()
    return len(body).to_bytes(LENGTH, "big") + body


def decode(read: Callable[[int], bytes], most: int = 1 << 31) -> dict[str, Any]:
    """One message. `read` gives exactly as many bytes as asked for, or raises EOFError. Raises ValueError for nonsense."""
    length = int.from_bytes(read(LENGTH), "big")
    if length > most:
        raise ValueError(f"a message of {length} bytes")
    message = json.loads(read(length))
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")  # noqa: TRY004 -- nonsense like any other
    return message
