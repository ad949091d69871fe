"""A container's service in a real Consul, with the workload's own identity: deployed, updated, taken back.

Needs a Nomad with the Docker driver (Docker's socket or Podman's, it makes no difference) that registers in that Consul and has
`service_identity` and `task_identity` for it: NOMAD_LIVE, NOMAD_TOKEN, NOMAD_CONSUL (its address), NOMAD_CONSUL_TOKEN (management),
and NOMAD_IMAGES, two images with busybox that serve another /www/index.html.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from gitops_agent.model import Action, HealthStatus
from gitops_agent.targets.nomad.target import Nomad
from tests.conformance.converge import converge, plan
from tests.conformance.holding import eventually
from tests.targets.nomad.server import NomadServer
from tests.targets.nomad.test_rollouts import settled

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif("NOMAD_CONSUL" not in os.environ, reason="needs NOMAD_CONSUL and what goes with it"),
]

Make = Callable[..., Nomad]
SHOP = """variable "image" { type = string }

job "shop" {
  update {
    min_healthy_time  = "1s"
    healthy_deadline  = "30s"
    progress_deadline = "40s"
    auto_revert       = true
  }
  group "main" {
    network {
      port "http" {}
    }
    service {
      name     = "shop"
      provider = "consul"
      port     = "http"
      check {
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }
    }
    task "main" {
      driver       = "docker"
      kill_timeout = "1s"
      config {
        image        = var.image
        network_mode = "host"
        command      = "httpd"
        args         = ["-f", "-p", "${NOMAD_PORT_http}", "-h", "/www"]
      }
      consul {}
      template {
        data        = "{{ key \\"shop/motd\\" }}"
        destination = "local/motd"
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
"""
CLAIMS = ("nomad_namespace", "nomad_job_id", "nomad_task", "nomad_service")


class Consul:
    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"X-Consul-Token": token}

    def call(self, method: str, path: str, body: Any = None, data: str | None = None) -> Any:
        answer = requests.request(method, f"{self._url}/v1/{path}", json=body, data=data, headers=self._headers, timeout=10)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def trusts(self, nomad: str) -> None:
        """Workloads of that Nomad get tokens for their service, and read keys: as `nomad setup consul` would have it."""
        method = {
            "Name": "nomad-workloads",
            "Type": "jwt",
            "Config": {
                "JWKSURL": f"{nomad}/.well-known/jwks.json",
                "JWTSupportedAlgs": ["RS256"],
                "BoundAudiences": ["consul.io"],
                "ClaimMappings": {claim: claim for claim in CLAIMS},
            },
        }
        self.call("PUT", "acl/auth-method", method)
        rules = 'key_prefix "" {\n policy = "read"\n}\nservice_prefix "" {\n policy = "read"\n}\n'
        self.call("PUT", "acl/policy", {"Name": "nomad-tasks", "Rules": rules})
        self.call("PUT", "acl/role", {"Name": "nomad-tasks-default", "Policies": [{"Name": "nomad-tasks"}]})
        for selector, kind, name in (
            ('"nomad_service" in value', "service", "${value.nomad_service}"),
            ('"nomad_service" not in value', "role", "nomad-tasks-${value.nomad_namespace}"),
        ):
            rule = {"AuthMethod": "nomad-workloads", "Selector": selector, "BindType": kind, "BindName": name}
            self.call("PUT", "acl/binding-rule", rule)

    def distrust(self) -> None:
        """All of it away again; rules and tokens go with their method."""
        self.call("DELETE", "acl/auth-method/nomad-workloads")
        for kind, name in (("role", "nomad-tasks-default"), ("policy", "nomad-tasks")):
            self.call("DELETE", f"acl/{kind}/{self.call('GET', f'acl/{kind}/name/{name}')['ID']}")

    def pages(self) -> list[str]:
        """What the healthy instances of the service in the catalog serve."""
        entries = self.call("GET", "health/service/shop?passing=true")
        places = [(entry["Service"]["Address"] or entry["Node"]["Address"], entry["Service"]["Port"]) for entry in entries]
        return [requests.get(f"http://{host}:{port}/", timeout=5).text for host, port in places]


@pytest.fixture
def consul(nomad: NomadServer, request: pytest.FixtureRequest) -> Iterator[Consul]:
    if "fake" in request.node.name:
        pytest.skip("the fake runs no jobs")
    consul = Consul(os.environ["NOMAD_CONSUL"], os.environ["NOMAD_CONSUL_TOKEN"])
    consul.trusts(nomad.url)
    consul.call("PUT", "kv/shop/motd", data="hello from the catalog")
    yield consul
    nomad.empty()
    eventually(lambda: not consul.call("GET", "catalog/service/shop"), 30, "the catalog")
    consul.distrust()


def test_deployed_updated_and_taken_back(make: Make, nomad: NomadServer, consul: Consul) -> None:
    images = os.environ["NOMAD_IMAGES"].split()
    first, second = ({"shop.hcl": SHOP.encode(), "shop.vars": f'image = "{image}"\n'.encode()} for image in images)
    target = make()
    converge(target, first)
    health = settled(target)
    assert health.status is HealthStatus.HEALTHY, health.reason
    eventually(lambda: len(consul.pages()) == 1, 30, "the catalog")
    (before,) = consul.pages()
    made = converge(target, second, applied=first)
    assert [change.action for change in made] == [Action.UPDATE]
    assert "Config.image" in next(iter(made)).reason
    health = settled(target)
    assert health.status is HealthStatus.HEALTHY, health.reason
    eventually(lambda: len(consul.pages()) == 1 and consul.pages() != [before], 30, "the catalog")
    converge(target, first, applied=second)
    health = settled(target)
    assert health.status is HealthStatus.HEALTHY, health.reason
    eventually(lambda: consul.pages() == [before], 30, "the catalog")
    assert not plan(make(), first, applied=first)
    (running,) = (one for one in nomad.call("GET", "job/shop/allocations") if one["ClientStatus"] == "running")
    motd = requests.get(
        f"{nomad.url}/v1/client/fs/cat/{running['ID']}?path=main/local/motd", headers={"X-Nomad-Token": nomad.management}, timeout=5
    )
    assert motd.text == "hello from the catalog", "read with the identity of the workload"


def test_an_image_that_cannot_be_had_is_taken_back_and_said(make: Make, consul: Consul) -> None:
    image = os.environ["NOMAD_IMAGES"].split()[0]
    first, second = (
        {"shop.hcl": SHOP.encode(), "shop.vars": f'image = "{name}"\n'.encode()} for name in (image, f"{image}-that-is-not")
    )
    target = make()
    converge(target, first)
    assert settled(target).status is HealthStatus.HEALTHY
    converge(target, second, applied=first)
    health = settled(target)
    assert health.status is HealthStatus.DEGRADED
    assert "-that-is-not" in health.reason
    eventually(lambda: len(consul.pages()) == 1, 60, "the catalog")
