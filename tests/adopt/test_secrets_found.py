"""Which values are secrets, and that the template without them renders to exactly the file that was there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import hypothesis
import pytest
from hypothesis import strategies as st

from gitops_agent.adopt.confidential import find
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.secrets_found import SecretsFound, can_be_taken_out
from gitops_agent.cli.hooks import leaks
from gitops_agent.model import Revision
from gitops_agent.render import Renderer
from gitops_agent.secret import Secret
from gitops_agent.secret.placeholder import ENCODERS, opener, substitute
from tests.canary import Canary

_KEY = b"k" * 32
_TOKEN = "3f1b0c6e-8f1d-4a37-9b36-0b6d2e5f7a10"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("POSTGRES_PASSWORD=correct horse battery # staple\n", ["correct horse battery"]),
        ("export GITEA__security__SECRET_KEY='a b$c'\n", ["a b$c"]),
        ("    environment:\n      - CONCOURSE_ADD_LOCAL_USER=admin:hunter2\n      - HOME=/root\n", ["admin:hunter2"]),
        ("environment: {GF_SECURITY_ADMIN_PASSWORD: hunter22, GF_SERVER_ROOT_URL: 'https://dash.example.org'}\n", ["hunter22"]),
        (f'consul {{ token = "{_TOKEN}" }}\n', [_TOKEN]),
        ('encrypt = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="\n', ["pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="]),
        (f'{{"acl": {{"tokens": {{"initial_management": "{_TOKEN}"}}}}}}\n', [_TOKEN]),
        ("url: postgres://gitea:s3cr3t@db:5432/gitea\n", ["s3cr3t"]),
        (f'proxy_set_header X-Consul-Token "{_TOKEN}";\n', [_TOKEN]),
        ("authorization: Bearer abcdef0123456789\n", ["abcdef0123456789"]),
        ("bob:$apr1$Yk3yD4pZ$9b7d8fYwH2mQ0c1rT5xUz/\n", ["$apr1$Yk3yD4pZ$9b7d8fYwH2mQ0c1rT5xUz/"]),
        ("bootstrap = GzVhS2pX9qLrT4wYbN7cKd3M\n", ["GzVhS2pX9qLrT4wYbN7cKd3M"]),
    ],
)
def test_these_are_secrets(text: str, values: list[str]) -> None:
    assert [found.value for found in find(text)] == values


@pytest.mark.parametrize(
    "text",
    [
        "POSTGRES_PASSWORD_FILE=/run/secrets/postgres\n",
        "POSTGRES_PASSWORD=${POSTGRES_PASSWORD}\n",
        'token = "{{ env "CONSUL_HTTP_TOKEN" }}"\n',
        "ssl_certificate_key /etc/nginx/certs/git.key;\n",
        'ssl_key = "certs/git.key"\n',
        "enable_token_persistence = true\ntoken_ttl: 768h\n",
        "key_prefix \"app/\" { policy = 'write' }\n",
        "image: prom/prometheus@sha256:4f6c47e39a9064028766e8c95890ed15690c30f00c4ba14e7ce6ae1ded0295b1\n",
        "uid: P8E80F9AEF21F6940\nurl: http://loki:3100/loki/api/v1/push\n",
        "rule_files: [/etc/prometheus/alerts.yml]\n",
    ],
)
def test_these_are_none(text: str) -> None:
    assert find(text) == []


def _written(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], Mapping[str, str], Left]:
    left = Left()
    found = SecretsFound(left)
    for path, content in files.items():
        found.learn(path, content.decode())
    kept = [found.written(path, content) for path, content in files.items()]
    return dict(filter(None, kept)), found.values(), left


Rendered: TypeAlias = Callable[[Mapping[str, bytes], Mapping[str, str]], dict[str, bytes]]


@pytest.fixture(scope="module")
def rendered() -> Iterator[Rendered]:
    """As a run does it."""
    renderer = Renderer()
    renderer.start()
    yield lambda files, secrets: _revealed(renderer.render(files, "test", Revision("main", "0" * 40), _KEY), secrets)
    renderer.close()


def _revealed(tree: Mapping[str, bytes], secrets: Mapping[str, str]) -> dict[str, bytes]:
    open_ = opener(_KEY)

    def reveal(body: str, digest: str) -> str:
        secret: Secret = open_(body, digest)
        return ENCODERS[secret.encode](secrets[secret.reference.removeprefix("file:")])

    return {path: substitute(content, reveal, reveal) for path, content in tree.items()}


def test_one_value_has_one_name_however_it_is_written(canary: Canary, rendered: Rendered) -> None:
    password = canary.secret()
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    files = {
        "app/.env": f"DB_PASSWORD={password}\n".encode(),
        "app/config.json": f'{{"db": {{"password": "{quoted}"}}}}\n'.encode(),
        "app/notes.conf": f"# was {password} once {{{{ .Go }}}}\n".encode(),
    }
    kept, secrets, _ = _written(files)
    assert secrets == {"db-password": password}
    assert set(kept) == {f"{path}.j2" for path in files}
    canary.watch(b"".join(kept.values()))
    assert rendered(kept, secrets) == files


def test_a_file_that_is_a_secret_is_one_reference(canary: Canary, rendered: Rendered) -> None:
    token = canary.secret("GzVhS2pX9qLrT4wYbN7cKd3M")
    key = canary.secret("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBx0zWc9q3\n-----END EC PRIVATE KEY-----")
    one_line = f"CONSUL_HTTP_TOKEN={_TOKEN}\n".encode()
    files = {
        "app/.env": one_line,
        "nginx/git.key": f"{key}\n".encode(),
        "vault/token": token.encode(),
        "web/a.txt": b"plain {{ text }}\r\n",
    }
    kept, secrets, _ = _written(files)
    assert kept["app/.env.j2"] == b'CONSUL_HTTP_TOKEN={{ secret("file:consul-http-token") }}\n', "one line is no file of one secret"
    assert kept["nginx/git.key.j2"] == b'{{ secret("file:nginx-git-key") }}\n'
    assert kept["web/a.txt"] == files["web/a.txt"], "what holds no secret is kept as it is"
    canary.watch(b"".join(kept.values()))
    assert rendered(kept, secrets) == files


def test_what_no_template_can_hold_is_a_secret_as_a_whole(canary: Canary, rendered: Rendered) -> None:
    token = canary.secret(_TOKEN)
    files = {"a/dos.conf": f"token = {token}\r\nport = 1\r\n\r\n.".encode(), "a/x.conf.j2": b"{{ ansible }}\n"}
    kept, secrets, _ = _written(files)
    canary.watch(b"".join(kept.values()))
    assert rendered(kept, secrets) == files


def test_a_word_is_a_secret_only_where_it_is_named_one() -> None:
    files = {"db/.env": b"POSTGRES_PASSWORD=postgres\nPOSTGRES_USER=postgres\nX_KEY=abc\n"}
    kept, secrets, left = _written(files)
    assert kept["db/.env.j2"] == b'POSTGRES_PASSWORD={{ secret("file:postgres-password") }}\nPOSTGRES_USER=postgres\nX_KEY=abc\n'
    assert secrets == {"postgres-password": "postgres"}
    assert "secret postgres-password" in left.found[Why.ATTENTION]


_PIECES = st.sampled_from(
    ["{", "{{", "{%", "{#", "}}", "%}", "#}", "{{ x }}", "{% raw %}", "\n", " ", "a", '"', "'", _TOKEN, "\\", "{{{"]
)


@hypothesis.given(pieces=st.lists(_PIECES, max_size=30))
def test_any_text_comes_out_as_it_went_in(rendered: Rendered, pieces: list[str]) -> None:
    files = {"a/first.conf": f'token = "{_TOKEN}"\n'.encode(), "a/any.conf": "".join(pieces).encode()}
    kept, secrets, _ = _written(files)
    assert not any(_TOKEN.encode() in content for content in kept.values())
    assert rendered(kept, secrets) == files


def test_what_the_hooks_would_refuse_is_a_secret_here_too() -> None:
    for line in (f"CONSUL_HTTP_TOKEN={_TOKEN}", "password: hunter22", "x = hvs.CAESIJ0123456789abcdefghij", "api_key = 'abc9 def'"):
        assert list(leaks.find("a.conf", line))
        kept, _, _ = _written({"a/a.conf": f"{line}\n".encode()})
        ((_, content),) = kept.items()
        assert not list(leaks.find("a.conf", re.sub(r"\n$", "", content.decode()))), content


def test_a_private_key_that_is_known_does_not_hide_what_stands_around_it(canary: Canary, rendered: Rendered) -> None:
    key = canary.secret("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBx0zWc9q3\n-----END EC PRIVATE KEY-----\n")
    text = f'web: {{"port": "8080", "tls": {json.dumps(key)}}}\n'
    found = SecretsFound(Left())
    found.learn_values("nomad", [("web tls", key)])
    found.learn("nomad/variables.yaml", text)
    path, content = found.written("nomad/variables.yaml", text.encode()) or ("", b"")
    canary.watch(content)
    assert b'"port": "8080"' in content
    assert found.values() == {"web-tls": key}
    assert rendered({path: content}, found.values()) == {"nomad/variables.yaml": text.encode()}


@pytest.mark.parametrize(
    ("text", "value", "can"),
    [
        ('a: {"x": "Str0ng & long"}\n', "Str0ng & long", True),
        ('a: {"x": "Str0ng \\_ long"}\n', "Str0ng \u00a0 long", False),
        ('a: {"password": "word"}\n', "word", True),
        ('a: {"said": "word"}\n', "word", False),
    ],
)
def test_what_no_reference_could_stand_for_is_known(text: str, value: str, can: bool) -> None:
    assert can_be_taken_out(text, value) is can
