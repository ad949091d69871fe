"""An authority of the agent's own, its certificates over the years, and what openssl says of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gitops_agent import metrics
from gitops_agent.errors import CommandFailed, Unavailable
from gitops_agent.model import Action
from gitops_agent.targets.certificates.target import Certificates
from tests.conformance.converge import converge, plan
from tests.targets.certificates.authority import Authority, names_in, openssl
from tests.targets.certificates.conftest import Clock

Make = Callable[..., Certificates]
_YAML = b"""
authority: {name: mini-cloud, days: 3650}
certificates:
  git: {names: [git.mini.test, "*.pages.mini.test", 10.0.0.7, "fd00::7"], days: 90}
  nomad.mini.test: {client: true}
"""
_FILES = {"certificates.yaml": _YAML}


def _live(tmp_path: Path) -> Path:
    return tmp_path / "published/current"


def _reasons(target: Certificates, files: dict[str, bytes] = _FILES) -> dict[str, str]:
    return {change.name: change.reason for change in plan(target, files, applied=files)}


def test_openssl_trusts_them_for_their_names_and_for_nothing_else(make: Make, tmp_path: Path) -> None:
    converge(make(), _FILES)
    live = _live(tmp_path)
    verify = ("verify", "-x509_strict", "-CAfile", live / "ca.pem")
    for name in ("git.mini.test", "a.pages.mini.test"):
        openssl(*verify, "-purpose", "sslserver", "-verify_hostname", name, live / "git.pem")
    for address in ("10.0.0.7", "fd00::7"):
        openssl(*verify, "-purpose", "sslserver", "-verify_ip", address, live / "git.pem")
    with pytest.raises(AssertionError, match="hostname mismatch"):
        openssl(*verify, "-verify_hostname", "consul.mini.test", live / "git.pem")
    openssl(*verify, "-purpose", "sslclient", live / "nomad.mini.test.pem")
    with pytest.raises(AssertionError, match="unsuitable certificate purpose"):
        openssl(*verify, "-purpose", "sslclient", live / "git.pem")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(live / "git.pem", live / "git-key.pem")


def test_keys_are_for_their_owner_and_the_authoritys_is_published_nowhere(make: Make, tmp_path: Path) -> None:
    made = converge(make(secret_mode="0640"), _FILES)
    secrets, live = tmp_path / "secrets", _live(tmp_path)
    assert f"{(secrets / 'ca-key.pem').stat().st_mode:o}" == "100600"
    assert f"{(live / 'git-key.pem').stat().st_mode:o}" == "100640"
    assert f"{(live / 'git.pem').stat().st_mode:o}" == "100644"
    keys = {path.read_text() for path in [secrets / "ca-key.pem", *live.glob("*-key.pem")]}
    assert len(keys) == 3
    published = [path.read_text() for path in (tmp_path / "published").rglob("*") if path.is_file()]
    assert (secrets / "ca-key.pem").read_text() not in published
    said = made.text() + str(made.to_json()) + repr(made)
    assert not any(line in said for key in keys for line in key.splitlines())
    (live / "git-key.pem").chmod(0o644)
    assert _reasons(make(secret_mode="0640")) == {"certificate:git": "its key has mode 0644"}


def test_renewed_when_a_third_of_its_life_is_left(make: Make, clock: Clock, tmp_path: Path) -> None:
    """Nobody pushes anything: a resync finds it, as drift."""
    converge(make(), _FILES)
    long_lived = make()
    clock.pass_days(59)
    assert not plan(long_lived, _FILES, applied=_FILES)
    clock.pass_days(2)
    expected = "expires in 29 days"
    assert _reasons(long_lived) == {"certificate:git": expected, "certificate:nomad.mini.test": expected}
    authority, old = (_live(tmp_path) / "ca.pem").read_bytes(), (_live(tmp_path) / "git-key.pem").read_bytes()
    converge(long_lived, _FILES, applied=_FILES)
    assert not plan(long_lived, _FILES, applied=_FILES)
    assert (_live(tmp_path) / "ca.pem").read_bytes() == authority
    assert (_live(tmp_path) / "git-key.pem").read_bytes() != old


def test_found_again_after_years_of_sleep(make: Make, clock: Clock, tmp_path: Path) -> None:
    converge(make(), _FILES)
    clock.pass_days(400)
    assert set(_reasons(make()).values()) == {"has expired"}
    converge(make(), _FILES, applied=_FILES)
    assert not plan(make(), _FILES)


def test_nothing_outlives_its_authority_and_that_is_warned_of(make: Make, clock: Clock) -> None:
    target = make()
    converge(target, _FILES)
    clock.pass_days(3630)
    converge(target, _FILES, applied=_FILES)
    assert not plan(target, _FILES), "one that ends with its authority is not issued again and again"
    assert target.health().reason == "the authority expires in 20 days"


def test_reasons_in_words(make: Make, tmp_path: Path) -> None:
    converge(make(), _FILES)
    files = {"certificates.yaml": _YAML.replace(b"10.0.0.7", b"10.0.0.8").replace(b"days: 90", b"days: 30")}
    assert _reasons(make(), files) == {"certificate:git": "is valid for longer than 30 days"}
    files = {"certificates.yaml": _YAML.replace(b"10.0.0.7", b"10.0.0.8").replace(b"client: true", b"days: 365")}
    reasons = {"certificate:git": "names changed", "certificate:nomad.mini.test": "client changed"}
    assert _reasons(make(), files) == reasons
    (_live(tmp_path) / "git.pem").write_text("nonsense")
    assert _reasons(make()) == {"certificate:git": "one of its files is no certificate in PEM"}


def test_another_authority_signs_all_anew(make: Make, tmp_path: Path) -> None:
    files = {"certificates.yaml": b"certificates: {git.mini.test: {}}"}
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    converge(make(authority=str(first.certificate), authority_key=str(first.key)), files)
    target = make(authority=str(second.certificate), authority_key=str(second.key))
    assert _reasons(target, files) == {
        "authority": "another one is published",
        "certificate:git.mini.test": "issued by another authority",
    }
    converge(target, files, applied=files)
    openssl("verify", "-CAfile", second.certificate, _live(tmp_path) / "git.mini.test.pem")


@pytest.mark.parametrize("lost", [("ca.pem",), ("ca-key.pem",), ("ca.pem", "ca-key.pem")])
def test_an_authority_that_is_lost_is_not_replaced_by_one_that_nobody_trusts(make: Make, tmp_path: Path, lost: tuple[str]) -> None:
    converge(make(), _FILES)
    before = {path: path.read_bytes() for path in _live(tmp_path).glob("*")}
    for name in lost:
        (tmp_path / "secrets" / name).unlink()
    with pytest.raises(Unavailable, match="does not exist"):
        converge(make(), _FILES, applied=_FILES)
    assert {path: path.read_bytes() for path in _live(tmp_path).glob("*")} == before


def test_files_of_an_authority_that_do_not_belong_together(make: Make, tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    with pytest.raises(Unavailable, match="is not the key of"):
        plan(make(authority=str(first.certificate), authority_key=str(second.key)), _FILES)


def test_without_an_authority_nothing_is_made_up(make: Make) -> None:
    with pytest.raises(Unavailable, match="declare `authority`"):
        plan(make(), {"certificates.yaml": b"certificates: {git.mini.test: {}}"})


def test_prometheus_knows_when_they_end(make: Make, clock: Clock) -> None:
    target = make(name="metered")
    converge(target, _FILES)
    plan(target, _FILES)

    def days() -> dict[str, int]:
        families = text_string_to_metric_families(metrics.text())
        family = next(one for one in families if one.name == "gitops_agent_certificate_expiry_timestamp_seconds")
        now = clock.now.timestamp()
        return {
            one.labels["certificate"]: round((one.value - now) / 86400)
            for one in family.samples
            if one.labels["target"] == "metered"
        }

    assert days() == {"ca": 3650, "git": 90, "nomad.mini.test": 90}
    converge(target, {"certificates.yaml": _YAML.replace(b"  nomad.mini.test: {client: true}\n", b"")}, applied=_FILES)
    plan(target, {"certificates.yaml": _YAML.replace(b"  nomad.mini.test: {client: true}\n", b"")})
    assert days() == {"ca": 3650, "git": 90}


def test_somebody_elses_are_looked_at_before_they_are_taken(make: Make, tmp_path: Path, clock: Clock) -> None:
    files = {"certificates.yaml": b"certificates: {www: {names: [www.example.org], provided: true}}"}
    theirs, elsewhere = tmp_path / "provided", Authority(tmp_path / "elsewhere")
    target = make(provided=str(theirs))
    with pytest.raises(Unavailable, match="what is provided for www: its certificate is missing"):
        converge(target, files)
    elsewhere.issue(theirs, "www", ["shop.example.org"])
    with pytest.raises(Unavailable, match=r"www: is not for www\.example\.org"):
        converge(target, files)
    elsewhere.issue(theirs, "www", ["*.example.org"])
    converge(target, files)
    assert (_live(tmp_path) / "www.pem").read_bytes() == (theirs / "www.pem").read_bytes()
    assert not (_live(tmp_path) / "ca.pem").exists()
    assert not plan(target, files)
    elsewhere.issue(theirs, "www", ["*.example.org"])
    assert _reasons(target, files) == {"certificate:www": "another one is provided"}
    converge(target, files, applied=files)
    clock.pass_days(40)
    assert not plan(target, files)
    assert target.health().reason == "www expires in 19 days, and nobody has provided another"


def test_what_is_provided_and_of_no_use_replaces_nothing(make: Make, tmp_path: Path) -> None:
    files = {"certificates.yaml": b"certificates: {www: {names: [www.example.org], provided: true}}"}
    theirs, elsewhere = tmp_path / "provided", Authority(tmp_path / "elsewhere")
    elsewhere.issue(theirs, "www", ["www.example.org"])
    target = make(provided=str(theirs))
    converge(target, files)
    elsewhere.issue(tmp_path / "other", "www", ["www.example.org"])
    (theirs / "www-key.pem").write_bytes((tmp_path / "other/www-key.pem").read_bytes())
    assert not plan(target, files)
    assert target.health().reason == "what is provided for www: its key belongs to another certificate"
    assert names_in((_live(tmp_path) / "www.pem").read_bytes()) == ["www.example.org"]


def test_who_must_be_told_is_told_and_a_failure_takes_it_back(make: Make, tmp_path: Path) -> None:
    told = tmp_path / "told"
    converge(make(reload=["sh", "-c", f"echo told >> {told}"]), _FILES)
    assert told.read_text() == "told\n"
    before = (_live(tmp_path) / "git.pem").read_bytes()
    changed = {"certificates.yaml": _YAML.replace(b"10.0.0.7", b"10.0.0.8")}
    with pytest.raises(CommandFailed, match="the previous files"):
        converge(make(reload=["sh", "-c", "test -e $0 || { touch $0; exit 3; }", str(tmp_path / "once")]), changed, applied=_FILES)
    assert (_live(tmp_path) / "git.pem").read_bytes() == before
    assert [change.action for change in plan(make(), changed, applied=_FILES)] == [Action.UPDATE]
