"""`pin-images`: a tag that floats becomes the very image that runs now, by its digest or by a tag that says more."""

from __future__ import annotations

import re
from typing import ClassVar

from gitops_agent.adopt.migrations.compose_text import entries
from gitops_agent.adopt.migrations.migration import ConfigRepo, Migration, Proposal
from gitops_agent.container.shapes import Inspected

_WHOLE = re.compile(r"\d+\.\d+\.\d+|\d{4}-?\d{2}-?\d{2}|[0-9a-f]{12,}")
"""A tag with a whole version, a day or a commit is not moved by anybody in his senses."""


class PinImages(Migration):
    name: ClassVar = "pin-images"
    summary: ClassVar = "images by the digest or version that runs, instead of a tag that means another image tomorrow"

    def propose(self, repo: ConfigRepo) -> Proposal:
        made = Proposal()
        for path, compose in repo.compose().items():
            changed = False
            for service, node in compose.services():
                for image in (value for name, value in entries(node) if name == "image"):
                    reference = compose.value(image)
                    if not reference or not floats(reference):
                        continue
                    found = repo.running.get(service)
                    pinned = _pinned(reference, found) if found else ""
                    if not pinned:
                        made.not_done.append(_why_not(service, reference, found))
                        continue
                    compose.replace(image, pinned)
                    changed = True
                    made.steps.append(f"{service}: {reference} → {pinned}")
                    made.effects.append(f"makes the container of {service} anew, from the image that it runs now")
            if changed:
                made.edits[path] = compose.changed()
        return made


def floats(reference: str) -> bool:
    if "@" in reference or "${" in reference:
        return False
    return not _WHOLE.search(_tag(reference))


def _tag(reference: str) -> str:
    repository, colon, tag = reference.rpartition(":")
    return tag if colon and "/" not in tag and repository else ""


def _pinned(reference: str, found: Inspected) -> str:
    tag = _tag(reference)
    repository = reference.removesuffix(f":{tag}") if tag else reference
    for digest in found.digests:
        name, _, value = digest.partition("@")
        if name == repository or name.endswith(f"/{repository}"):
            return f"{reference}@{value}"
    better = [other for other in found.tags if other.startswith(f"{repository}:") and not floats(other)]
    return better[0] if better else ""


def _why_not(service: str, reference: str, found: Inspected | None) -> str:
    if found is None:
        return f"{service}: no container runs {reference}"
    tagged = reference.removesuffix(f":{_tag(reference)}")
    return f"{service}: {reference} has no digest and no other tag; docker tag {found.container.image[7:19]} {tagged}:1.0.0"
