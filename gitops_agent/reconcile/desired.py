"""From a revision to what each target shall be: read, render, parse. No system is asked, no secret resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    folders: dict[str, dict[str, bytes]] = {target.settings.folder.strip("/"): {} for target in targets}
    for path, content in tree.items():
        # A folder may lie below another target's (`nomad` and `nomad/apps`): the innermost one has the file.
        owners = [folder for folder in folders if path.startswith(f"{folder}/")]
        if owners:
            folder = max(owners, key=len)
            folders[folder][path[len(folder) + 1 :]] = content
    desired: dict[str, State] = {}
    for target in targets:
        folder = target.settings.folder.strip("/")
        if not folders[folder]:
            raise InvalidRevision(f"target {target.name!r} has no file in the repository", file=f"{folder}/")
        try:
            desired[target.name] = target.parse(folders[folder])
        except InvalidRevision as error:
            raise error.below(folder) from None
    _refuse_early_vault_references(targets, desired, key)
    return desired


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
