"""From a revision to what each target shall be: read, render, parse. No system is asked, no secret resolved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, State
from gitops_agent.secret import references
from gitops_agent.target import Target

Desired: TypeAlias = Mapping[str, State]
"""By target name; secrets are still references."""


def parse(tree: Files, targets: Iterable[Target], key: bytes) -> Desired:
    """What the rendered tree says of each target. Raises InvalidRevision with paths relative to the repository's root."""
    targets = list(targets)
    found = folders(tree, targets)
    desired: dict[str, State] = {}
    for target in targets:
        folder = _folder(target)
        if not found[target.name]:
            raise InvalidRevision(f"target {target.name!r} has no file in the repository", file=f"{folder}/")
        try:
            desired[target.name] = target.parse(found[target.name])
        except InvalidRevision as error:
            raise error.below(folder) from None
    _refuse_early_vault_references(targets, desired, key)
    return desired


def folders(tree: Files, targets: Collection[Target]) -> Mapping[str, Files]:
    """The files of each target by its name, with paths below its folder."""
    by_folder: dict[str, dict[str, bytes]] = {_folder(target): {} for target in targets}
    for path, content in tree.items():
        # A folder may lie below another target's (`nomad` and `nomad/apps`): the innermost one has the file.
        owners = [folder for folder in by_folder if path.startswith(f"{folder}/")]
        if owners:
            folder = max(owners, key=len)
            by_folder[folder][path[len(folder) + 1 :]] = content
    return {target.name: by_folder[_folder(target)] for target in targets}


def _folder(target: Target) -> str:
    return str(target.settings.folder.strip("/"))


def _refuse_early_vault_references(targets: list[Target], desired: Desired, key: bytes) -> None:
    """A secret that is needed to reach the secret store must not come from it."""
    serving = [index for index, target in enumerate(targets) if target.serves_secrets]
    if not serving:
        return
    for target in targets[: max(serving) + 1]:
        for resource in desired[target.name]:
            for secret in references(resource.spec, key):
                if not secret.reference.startswith("file:"):
                    message = f"{target.name} comes before the secret store is up: {secret.reference!r} must be a file: reference"
                    raise InvalidRevision.at(message, resource.origin).below(target.settings.folder)
