"""What a real Consul holds beside keys: auth methods, binding rules, config entries and external nodes."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent.adopt.left import Left, Why
from tests.adopt.looking import first_plan, look, plans_of_kept, without_secrets
from tests.canary import Canary
from tests.targets.consul.server import ConsulServer

pytestmark = pytest.mark.server
_CONSUL = Path(__file__).parents[1] / "targets/consul"
_KEY = (_CONSUL / "jwt-key.pem").read_text()
_BOOTSTRAP = "token Bootstrap Token (Global Management)"


@pytest.fixture(scope="module")
def server(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsulServer]:
    running = ConsulServer(binary("consul"), tmp_path_factory.mktemp("consul"), free_port)
    yield running
    running.stop()


@pytest.fixture
def consul(server: ConsulServer) -> ConsulServer:
    server.empty()
    return server


@pytest.fixture
def token_file(consul: ConsulServer, tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(consul.secret)
    return tmp_path / "token"


def method(consul: ConsulServer, name: str, **fields: Any) -> None:
    config = {"JWTValidationPubKeys": [_KEY], "ExpirationLeeway": 90_000_000_000, "ClaimMappings": {"job": "job"}}
    body = {"Name": name, "Type": "jwt", "Config": config}
    consul.call("PUT", "/v1/acl/auth-method", {**body, **fields})


def rule(consul: ConsulServer, description: str, **fields: Any) -> str:
    body = {"AuthMethod": "nomad", "BindType": "service", "BindName": "nomad-${value.job}", "Description": description}
    return str(consul.call("PUT", "/v1/acl/binding-rule", {**body, **fields})["ID"])


def test_how_workloads_log_in(consul: ConsulServer, token_file: Path, tmp_path: Path) -> None:
    method(consul, "nomad", DisplayName="Nomad", MaxTokenTTL="1h")
    nameless = rule(consul, "", Selector="value.job == web")
    twice = {rule(consul, "for-tasks"), rule(consul, "for-tasks", BindName="other")}
    rule(consul, "for everybody else")
    left = Left()
    described = look("consul", consul.url, token_file, left)["consul"]
    files = described.files()
    (declared,) = yaml.safe_load(files["auth-methods.yaml"]).values()
    assert declared == {
        "type": "jwt",
        "display_name": "Nomad",
        "max_token_ttl": "1h0m0s",
        "config": {"JWTValidationPubKeys": [_KEY], "ExpirationLeeway": "1m30s", "ClaimMappings": {"job": "job"}},
    }
    rules = yaml.safe_load(files["binding-rules.yaml"])
    assert len(rules) == 3
    assert {*rules} - twice == {"for-tasks", nameless}
    assert rules[nameless] == {
        "auth_method": "nomad",
        "bind_type": "service",
        "bind_name": "nomad-${value.job}",
        "selector": "value.job == web",
    }
    assert {*first_plan(described, tmp_path).values()} == {"adopt"}
    assert left.found[Why.SYSTEM]["binding rule for everybody else"] == "'for everybody else' cannot be a name here"


def test_the_secret_of_an_auth_method_goes_where_secrets_go(
    consul: ConsulServer, token_file: Path, tmp_path: Path, canary: Canary, certificate: str
) -> None:
    token = canary.secret(jwt())
    config = {"Host": "https://k8s.example.org", "CACert": certificate, "ServiceAccountJWT": token}
    method(consul, "pods", Type="kubernetes", Config=config)
    left = Left()
    found = look("consul", consul.url, token_file, left)
    assert first_plan(found["consul"], tmp_path) == {"auth-method:pods": "adopt"}
    kept = without_secrets(found, left)
    canary.watch(b"".join(kept.files.values()), str(left.to_json()))
    assert kept.secrets == {"pods-service-account-jwt": token}
    assert b"https://k8s.example.org" in kept.files["consul/auth-methods.yaml.j2"]


def test_a_secret_with_quotes_in_it_is_found_to_be_the_same(
    consul: ConsulServer, token_file: Path, tmp_path: Path, canary: Canary
) -> None:
    password = canary.secret()
    consul.put("shop/db/password", password)
    consul.put("shop/db/file", f"password = {json.dumps(password)}\n")
    found = look("consul", consul.url, token_file, Left())
    kept = without_secrets(found, Left())
    assert plans_of_kept(found, kept, tmp_path) == {
        "consul-shop kv:shop/db/password": "adopt",
        "consul-shop kv:shop/db/file": "adopt",
    }
    canary.watch(b"".join(kept.files.values()))


def test_config_entries_as_they_are(consul: ConsulServer, token_file: Path, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = json.loads((_CONSUL / "config_entries/any-consul.json").read_text())
    for entry in sorted(entries, key=lambda entry: not entry["Kind"].endswith("-defaults")):
        consul.call("PUT", "/v1/config", {"Name": "global", **entry})
    written = consul.config()
    left = Left()
    described = look("consul", consul.url, token_file, left)["consul"]
    assert {name.removeprefix("config:") for name in first_plan(described, tmp_path)} == {*written}
    assert {*first_plan(described, tmp_path).values()} == {"adopt"}
    assert yaml.safe_load(described.files()["config-entries/service-defaults/plain.yaml"]) == {
        "Kind": "service-defaults",
        "Name": "plain",
    }
    assert yaml.safe_load(described.files()["config-entries/proxy-defaults/global.yaml"])["Config"]["ttl"] == "24h"
    assert consul.config() == written
    assert [*left.found.values()] == [{_BOOTSTRAP: "may do everything: an administrator's"}]


def test_nodes_that_run_no_agent(consul: ConsulServer, token_file: Path, tmp_path: Path) -> None:
    external = {"external-node": "true", "external-probe": "true"}
    for name, meta in {"db-host": external, "printer": {}, "empty": external}.items():
        consul.call("PUT", "/v1/catalog/register", {"Node": name, "Address": "10.0.0.5", "NodeMeta": meta})
    for identity, name, tags in (("postgres", "postgres", ["primary"]), ("pool", "pgbouncer", [])):
        service = {"ID": identity, "Service": name, "Port": 5432, "Tags": tags}
        body = {"Node": "db-host", "Address": "10.0.0.5", "SkipNodeUpdate": True, "Service": service}
        consul.call("PUT", "/v1/catalog/register", body)
    left = Left()
    described = look("consul", consul.url, token_file, left)["consul"]
    assert yaml.safe_load(described.files()["nodes.yaml"]) == {
        "db-host": {
            "address": "10.0.0.5",
            "meta": {"external-probe": "true"},
            "services": {"postgres": {"port": 5432, "tags": ["primary"]}, "pool": {"name": "pgbouncer", "port": 5432}},
        }
    }
    assert first_plan(described, tmp_path) == {"node:db-host": "adopt"}
    assert {*left.found[Why.SYSTEM]} == {"node printer", "node empty", _BOOTSTRAP}


def test_what_a_token_may_not_read_is_told_and_the_rest_is_taken(consul: ConsulServer, tmp_path: Path) -> None:
    consul.call("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "web", "Protocol": "http"})
    consul.put("shop/motd", "hello")
    (tmp_path / "token").write_text(
        consul.token('key_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\noperator = "read"')
    )
    left = Left()
    found = look("consul", consul.url, tmp_path / "token", left)
    assert first_plan(found["consul"], tmp_path) == {"config:service-defaults/web": "adopt"}
    assert {*found} == {"consul", "consul-shop"}
    assert {"consul's ACLs"} <= {*left.found[Why.ATTENTION]}


def jwt() -> str:
    """As Kubernetes gives one to a service account; nobody looks at its signature."""

    def part(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part({'sub': secrets.token_hex(8)})}.{secrets.token_urlsafe(32)}"


@pytest.fixture(scope="module")
def certificate() -> str:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding

    key, name, now = ed25519.Ed25519PrivateKey.generate(), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, None)
    return made.public_bytes(Encoding.PEM).decode()
