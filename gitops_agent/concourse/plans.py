"""What a one-off build shall do, in the words of Concourse's own build plans (`atc/plan.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Plan: TypeAlias = Mapping[str, Any]
"""One step; `in_order` makes a whole of several and numbers them."""


def uploaded(name: str, artifact: int) -> Plan:
    """What `Builds.upload` sent to Concourse, as the artifact `name`."""
    return {"artifact_input": {"artifact_id": artifact, "name": name}}


def git(name: str, source: Mapping[str, Any], sha: str) -> Plan:
    """Fetches exactly the commit `sha` as the artifact `name`, with the git resource that workers carry.

    `source` is that of a git resource: `uri`, `branch`, `private_key` … A `((var))` in it is looked up by Concourse, where the
    pipeline that the build belongs to finds its own.
    """
    # Documentation of older versions calls the key `type_image`; 8.2.5 then has no image and the build errs.
    image = {"base_type": "git"}
    return {"get": {"name": name, "type": "git", "image": image, "source": dict(source), "version": {"ref": sha}}}


def task(name: str, config: Mapping[str, Any]) -> Plan:
    """Runs a task; `config` as in a task's file: `platform`, `image_resource` or `rootfs_uri`, `inputs`, `params`, `run`."""
    return {"task": {"name": name, "config": dict(config)}}


def in_order(*steps: Plan) -> Plan:
    """One step after the other; the first that fails ends the build."""
    return {"id": "1", "do": [{"id": str(number), **step} for number, step in enumerate(steps, start=2)]}
