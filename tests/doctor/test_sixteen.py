"""The sixteen troubles that `doctor` has to name, each made for real: nothing is wrong, it is broken, it is named with what to do,
it is mended, nothing is wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_agent.doctor import Finding
from gitops_agent.errors import Unavailable
from tests.doctor import fake_stages as fake
from tests.doctor import real_stages as real
from tests.doctor.stage import Ground, Stage

_PATIENCE = 15.0


@dataclass(frozen=True)
class Trouble:
    """Patterns of what was looked at, of what is said of it, and of the remedy."""

    stage: Callable[[Ground], AbstractContextManager[Stage]]
    what: str
    said: str
    remedy: str


SIXTEEN = {
    "Vault sealed": Trouble(
        real.vault_sealed, "open", "is sealed", "bootstrap --unseal, or docker exec -it mini-vault-1 vault operator unseal"
    ),
    "Consul without leader": Trouble(real.consul_without_leader, "leader", "has no leader", "docker logs --tail 50 mini-consul-1"),
    "Consul token expired": Trouble(
        real.consul_token_expired, "worker-consul-token", "Consul does not know it: it has expired", "gitops-agent sync"
    ),
    "Vault token expiring": Trouble(
        real.vault_token_expiring, "prometheus-vault-token", "expires in (1 min|[0-9]+ s)", "gitops-agent doctor --fix"
    ),
    "Nomad worker gone": Trouble(
        fake.nomad_worker_gone,
        "worker worker1",
        "down at",
        "ssh root@192.168.64.15 systemctl restart nomad; gone for good: docker exec",
    ),
    "stale Consul registration": Trouble(
        real.stale_registration,
        "service shop",
        "shop-1 is registered on the node worker9, which is gone",
        "force-leave -prune worker9",
    ),
    "scrape target down": Trouble(
        real.scrape_target_down, "scrape gitea", "is down: .*connection refused", "docker exec mini-prometheus-1 wget .*/metrics"
    ),
    "certificate expired": Trouble(
        real.certificate_expired,
        "good.localhost",
        "its certificate has expired",
        "gitops-agent sync .* docker exec mini-nginx-1 nginx -s reload",
    ),
    "hostname missing": Trouble(real.hostname_missing, "good.localhost", "nginx has no server for it", "`hostnames:` of values/"),
    "upstream empty": Trouble(
        real.upstream_empty, "example.localhost", "is empty: Consul knows no healthy example-server", "consul catalog nodes"
    ),
    "webhook blocked by allowed-hosts": Trouble(
        fake.webhook_blocked, "webhook", "did not arrive: Gitea may not send to that host", "add 127.0.0.1 to .*ALLOWED_HOST_LIST"
    ),
    "Gitea bot token revoked": Trouble(
        fake.bot_token_revoked,
        "bot token",
        "gitea refuses the token",
        "docker exec mini-gitea-1 gitea admin user generate-access-token",
    ),
    "Concourse worker stalled": Trouble(
        fake.concourse_worker_stalled,
        "worker live-worker",
        "is stalled",
        "docker restart mini-concourse-worker-1; .*fly .*prune-worker",
    ),
    "Loki not ready": Trouble(
        fake.loki_not_ready, "ready", "is not ready: Ingester not ready", "docker logs --tail 50 mini-loki-1"
    ),
    "Promtail not shipping": Trouble(
        fake.promtail_not_shipping,
        "ships",
        "has shipped no line since it started",
        "docker logs --tail 50 mini-promtail-1; `clients`",
    ),
    "disk nearly full": Trouble(real.disk_nearly_full, ".*", "[0-9]+% used, [0-9]+ MiB free", "docker system df"),
}


@pytest.fixture
def ground(tmp_path: Path, public_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Ground:
    return Ground(tmp_path, public_path, binary, free_port)


@pytest.mark.server
@pytest.mark.parametrize("trouble", SIXTEEN.values(), ids=SIXTEEN)
def test_the_doctor_names(trouble: Trouble, ground: Ground) -> None:
    with trouble.stage(ground) as stage:
        _until(stage, lambda wrong: not wrong)
        stage.wreck()
        (named,) = _until(stage, lambda wrong: len(wrong) == 1)
        assert re.fullmatch(trouble.what, named.what)
        assert re.search(trouble.said, named.said), named.said
        assert re.search(trouble.remedy, named.remedy), named.remedy
        stage.mend()
        _until(stage, lambda wrong: not wrong)


def _until(stage: Stage, wanted: Callable[[list[Finding]], bool]) -> list[Finding]:
    """What is wrong, once it is as wanted; systems take a moment to notice."""
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            wrong = [finding for finding in stage.look() if not finding.ok and finding.what != "name resolution"]
        except Unavailable as error:
            wrong = [Finding("", "answers", False, str(error), "wait"), Finding("", "answers", False, "not yet", "wait")]
        if wanted(wrong):
            return wrong
        assert time.monotonic() < ends, wrong
        time.sleep(0.05)


def test_there_are_sixteen() -> None:
    assert len(SIXTEEN) == 16
