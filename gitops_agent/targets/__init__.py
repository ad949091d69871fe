"""The kinds of targets: one module (or package) each, named as the kind, found by its name, imported only when configured."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from gitops_agent.target import Target


@cache
def kinds() -> list[str]:
    """Every kind there is, without importing any."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load(kind: str) -> type[Target]:
    """The class of a kind. Raises KeyError for one that does not exist."""
    if kind not in kinds():
        raise KeyError(kind)
    target: type[Target] = import_module(f"{__name__}.{kind.replace('-', '_')}").TARGET
    return target
