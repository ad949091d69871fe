"""What is refused before Grafana would refuse to start for it."""

from __future__ import annotations

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from gitops_agent.targets.grafana.declared import Declared, declared

SOURCE = b"datasources:\n- {name: Prometheus, type: prometheus, uid: prom, isDefault: true}\n"
DASHBOARD = b'{"uid": "hosts", "title": "Hosts"}'
FILES: Files = {
    "datasources/a.yaml": SOURCE,
    "dashboards/all.yaml": b"providers:\n- {name: all, type: file, options: {path: /srv}}\n",
    "dashboards/hosts.json": DASHBOARD,
    "plugins/x.yaml": b"apps: []\n",
}


def test_what_is_declared() -> None:
    assert declared(FILES) == Declared({"prom": "Prometheus"}, {"hosts": "Hosts"})


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("datasources/b.yaml", b"datasources:\n- {name: B, type: loki}\n", "b.yaml:2: a data source needs `uid`"),
        ("datasources/b.yaml", b"datasources:\n- {name: B, uid: b}\n", "b.yaml:2: a data source needs `type`"),
        (
            "datasources/b.yaml",
            b"datasources:\n- {name: B, type: loki, uid: prom}\n",
            "uid 'prom' is here twice; the other is in .*a.yaml:2",
        ),
        (
            "datasources/b.yaml",
            b"datasources:\n- {name: Prometheus, type: loki, uid: b}\n",
            "data source of organisation 1 'Prometheus' is here twice",
        ),
        (
            "datasources/b.yaml",
            b"datasources:\n- {name: B, type: loki, uid: b, isDefault: true}\n",
            "b.yaml:2: the default data source",
        ),
        ("datasources/b.yaml", b"datasources: {}\n", "must be a list"),
        ("datasources/b.yaml", b"datasources: [", "is no YAML"),
        ("dashboards/b.yaml", b"providers:\n- {name: b}\n", "b.yaml:2: .* needs `options"),
        ("dashboards/b.yaml", b"providers:\n- {name: all, options: {path: /x}}\n", "provider 'all' is here twice"),
        ("dashboards/b/c.json", DASHBOARD, "dashboard uid 'hosts' is here twice; the other is in dashboards/"),
        ("dashboards/c.json", b'{"uid": "c"}', "c.json: a dashboard needs `title`"),
        ("dashboards/c.json", b'{"title": "c", "uid": null}', "c.json: a dashboard needs `uid`"),
        ("dashboards/c.json", b'{\n"uid": c}', "c.json:2: is no JSON"),
    ],
)
def test_refused(path: str, content: bytes, said: str) -> None:
    with pytest.raises(InvalidRevision, match=said):
        declared({**FILES, path: content})


def test_another_organisation_has_a_default_of_its_own() -> None:
    other = b"datasources:\n- {name: Other, type: loki, uid: other, isDefault: true, orgId: 2}\n"
    assert set(declared({**FILES, "datasources/b.yaml": other}).sources) == {"prom", "other"}
