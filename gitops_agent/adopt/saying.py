"""What a system holds in the words of a repository: short, and each thing by a name of its own."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any


def said(spec: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Without what says nothing: what is empty, unless another default is named."""
    return {field: value for field, value in spec.items() if (value != defaults[field] if field in defaults else value)}


def free_name(wish: str, taken: Container[str]) -> str:
    """The name that is wished, numbered where somebody has it."""
    return next(name for name in (wish, *(f"{wish}-{number}" for number in range(2, 10_000))) if name not in taken)
