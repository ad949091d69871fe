"""Which kind looks after which files, and which mounts are configuration at all, from containers as the engine describes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.adopt import areas, landscape, mounts
from gitops_agent.adopt.adoption import _try
from gitops_agent.adopt.file_tables import FileTables
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.tables import Table
from gitops_agent.container.shapes import Container, Inspected, Mount
from gitops_agent.errors import ConfigError
from tests.canary import Canary
from tests.fakes.grafana import Grafana

_SOURCES = "apiVersion: 1\ndatasources:\n  - {name: Prometheus, type: prometheus, uid: prom, url: 'http://prometheus:9090'}\n"


def inspected(directory: Path, service: str, *binds: str, titles: tuple[str, ...] = (), project: str = "home") -> Inspected:
    """`binds` as Compose has them: `./source:/target[:ro]`."""
    parts = [bind.split(":") for bind in binds]
    mounted = tuple(Mount(str(directory / part[0]), part[1], writable=part[-1] != "ro") for part in parts)
    base = Container(service, f"{project}-{service}-1", "sha256:1", True, 1, "bridge", "", (), mounted)
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": str(directory),
        "com.docker.compose.project.config_files": str(directory / "compose.yaml"),
    }
    return Inspected(base, f"{service}:latest", (), (), labels, ("sh",), {}, titles or (service,))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(**files: str) -> Path:
        for path, text in {"compose.yaml": "services: {}\n", **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return tmp_path

    return write


def tables(found: list[Inspected], left: Left, told: dict[str, str], credentials: dict[str, Path] | None = None) -> list[Table]:
    scene: Landscape = landscape.look(found, "")
    sorted_ = mounts.sort(scene, left)
    made = FileTables(scene, sorted_, Reaching(told, left), credentials or {}, lambda _container, _tool: False, _try, left)
    return [made.of(area) for area in areas.lay_out(scene, sorted_, left)]


def test_grafana_is_its_own_kind_with_a_password(
    write: Callable[..., Path], free_port: Callable[[], int], tmp_path: Path, canary: Canary
) -> None:
    place = write(**{"grafana/provisioning/datasources/all.yml": _SOURCES, "password": "right"})
    grafana = Grafana(free_port(), place / "grafana/provisioning")
    found = [inspected(place, "grafana", "grafana/provisioning:/etc/grafana/provisioning:ro")]
    try:
        left = Left()
        (table,) = tables(found, left, {"grafana": grafana.url})
        assert table.kind == "files"
        assert "--grafana-password" in left.found[Why.ATTENTION]["grafana"]
        (table,) = tables(found, Left(), {"grafana": grafana.url}, {"grafana": place / "password"})
        assert (table.kind, table.settings["username"]) == ("grafana", "admin")
        (place / "grafana/provisioning/datasources/all.yml").write_text(_SOURCES.replace("uid: prom,", ""))
        left = Left()
        (table,) = tables(found, left, {"grafana": grafana.url}, {"grafana": place / "password"})
        assert table.kind == "files", "what its own kind does not take is taken all the same"
        assert "needs `uid`" in left.found[Why.ATTENTION]["grafana"]
    finally:
        grafana.stop()
    canary.secret("right-and-secret")
    canary.watch(str(table))


def test_a_program_that_does_not_answer_is_restarted_by_kind_files(
    write: Callable[..., Path], free_port: Callable[[], int]
) -> None:
    place = write(**{"prometheus/prometheus.yml": "global: {}\n"})
    found = [inspected(place, "prometheus", "prometheus/prometheus.yml:/etc/prometheus/prometheus.yml")]
    left = Left()
    (table,) = tables(found, left, {"prometheus": f"http://127.0.0.1:{free_port()}"})
    assert (table.kind, table.settings["reload"]) == ("files", ["docker", "kill", "--signal", "HUP", "home-prometheus-1"])
    assert "does not run" in left.found[Why.ATTENTION]["prometheus"]


def test_data_and_rendered_files_are_nobodys_configuration(write: Callable[..., Path]) -> None:
    rendered = 'template {\n  source = "/c/a.ctmpl"\n  destination = "/nginx/conf.d/app.conf"\n}\n'
    place = write(
        **{
            "ct/config.hcl": rendered,
            "nginx/conf.d/app.conf": "rendered",
            "nginx/conf.d/git.conf": "written by hand",
            "nginx/conf.d/git.conf~": "a copy",
            "consul/data/raft.db": "data",
            "consul/server.hcl": "server = true\n",
        }
    )
    found = [
        inspected(place, "consul-template", "ct:/c", "nginx:/nginx", titles=("consul-template -config /c/config.hcl",)),
        inspected(place, "nginx", "nginx/conf.d:/etc/nginx/conf.d"),
        inspected(place, "consul", "consul/server.hcl:/consul/config/server.hcl", "consul/data:/consul/data"),
    ]
    left = Left()
    scene = landscape.look(found, "")
    laid = {area.name: area.files for area in areas.lay_out(scene, mounts.sort(scene, left), left)}
    assert laid["nginx"] == {"git.conf": b"written by hand"}
    assert laid["consul-server"] == {"server.hcl": b"server = true\n"}
    written = {what.removeprefix(f"{place}/") for what in left.found[Why.WRITTEN]}
    assert {"nginx/conf.d/app.conf", "consul/data"} <= written


def test_several_projects_have_to_be_told_apart(write: Callable[..., Path]) -> None:
    place = write()
    found = [inspected(place, "a"), inspected(place, "b", project="work")]
    with pytest.raises(ConfigError, match="name the Compose project with --project; running are: home, work"):
        landscape.look(found, "")
    assert landscape.look(found, "work").project == "work"
