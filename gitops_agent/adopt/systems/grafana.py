"""Grafana: what lies in its database only, by name. It is not taken: a file with its uid would take its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import yaml

from gitops_agent.adopt.described import Described
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.errors import Unavailable

_MOST = 5000
"""Of dashboards or folders that one answer holds."""
_PROVISIONING = "/etc/grafana/provisioning"
_WHY = "lies in Grafana's database only: no file makes it"


def describe(source: Source, scene: Landscape) -> Iterator[Described]:
    """Nothing but what is told. Raises Unavailable."""
    if source.credential is None:
        raise Unavailable("what its database holds can be seen by those who log in only")
    for name in (*_sources(source, scene), *_dashboards_and_rules(source)):
        source.left.add(Why.SYSTEM, name, _WHY)
    yield from ()


def _sources(source: Source, scene: Landscape) -> Iterator[str]:
    """Those of files may be written all the same, where the file says `editable`."""
    of_files = {*_of_files(scene)}
    for found in source.get("/api/datasources") or ():
        if not found.get("readOnly") and found["name"] not in of_files:
            yield f"data source {found['name']}"


def _dashboards_and_rules(source: Source) -> Iterator[str]:
    """With the folders that hold nothing of a file's: of the folder itself, Grafana does not tell who made it."""
    of_files = set()
    for found in source.get("/api/search", params={"type": "dash-db", "limit": _MOST}) or ():
        meta = (source.get(f"/api/dashboards/uid/{found['uid']}") or {}).get("meta", {})
        if meta.get("provisioned"):
            of_files.add(found.get("folderUid"))
        else:
            yield f"dashboard {_inside(found.get('folderTitle'), found['title'])}"
    # Grafana 9.1 and later; before, alert rules are parts of dashboards.
    for rule in source.get("/api/v1/provisioning/alert-rules") or ():
        if rule.get("provenance") == "file":
            of_files.add(rule["folderUID"])
        else:
            yield f"alert rule {_inside(rule['ruleGroup'], rule['title'])}"
    for folder in source.get("/api/folders", params={"limit": _MOST}) or ():
        if folder["uid"] not in of_files:
            yield f"folder {folder['title']}"


def _inside(where: str | None, name: str) -> str:
    return f"{where}/{name}" if where else name


def _of_files(scene: Landscape) -> Iterator[str]:
    """Names of data sources that provisioning files of the host declare."""
    for service in scene.of("grafana"):
        directory = service.outside(f"{service.variable('GF_PATHS_PROVISIONING') or _PROVISIONING}/datasources")
        for path in sorted(directory.glob("*.y*ml")) if directory else ():
            with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):
                yield from (found["name"] for found in yaml.safe_load(path.read_text()).get("datasources") or ())
