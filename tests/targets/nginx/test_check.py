"""`nginx -t` on this host: what it sees, and whose mistake it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Files
from tests.conformance.converge import converge, plan
from tests.targets.nginx.subject import MAIN, NginxSubject, site

pytestmark = pytest.mark.server


def with_main(subject: NginxSubject, old: str, new: str) -> Files:
    return {**subject.first, "nginx.conf": MAIN.replace(old, new).encode()}


def test_a_mistake_has_file_line_and_words(serving: NginxSubject) -> None:
    with pytest.raises(InvalidRevision) as raised:
        plan(serving.target(), {**serving.first, "conf.d/b.conf": b"server {\n  foo bar;\n}\n"})
    assert str(raised.value) == 'conf.d/b.conf:2: unknown directive "foo"'


def test_the_main_file_must_be_there(serving: NginxSubject) -> None:
    with pytest.raises(InvalidRevision, match=r"nginx\.conf: has no nginx\.conf"):
        plan(serving.target(), {"conf.d/a.conf": b""})


def test_a_name_that_does_not_resolve_is_not_the_authors_mistake(serving: NginxSubject) -> None:
    upstream = site("b.test", "b1").replace(b"return", b"location /up { proxy_pass http://no-such-host.invalid; } return")
    with pytest.raises(Unavailable, match=r'nginx -t: host not found in upstream "no-such-host\.invalid" in conf\.d/b\.conf:4'):
        plan(serving.target(), {**serving.first, "conf.d/b.conf": upstream})


def test_a_neighbours_mistake_is_not_the_authors(in_place: NginxSubject) -> None:
    """An upstream file that another program wrote empty."""
    (in_place.live / "conf.d/theirs.conf").write_bytes(b"upstream theirs {\n}\n")
    try:
        with pytest.raises(
            Unavailable, match=r"nginx: conf\.d/theirs\.conf:2: no servers are inside upstream \(.* is not in this folder\)"
        ):
            plan(in_place.target(), in_place.second, applied=in_place.first)
    finally:
        (in_place.live / "conf.d/theirs.conf").write_bytes(site("theirs.test", "theirs"))


def test_absolute_includes_lead_to_the_staged_files(serving: NginxSubject) -> None:
    absolute = with_main(serving, "include conf.d/", f'include "{serving.live}/conf.d/')
    absolute = {**absolute, "nginx.conf": absolute["nginx.conf"].replace(b"*.conf;", b'*.conf";')}
    converge(serving.target(), absolute, applied=serving.first)
    with pytest.raises(InvalidRevision, match=r'conf\.d/b\.conf:1: unknown directive "nonsense"'):
        plan(serving.target(), {**absolute, "conf.d/b.conf": b"nonsense;\n"}, applied=absolute)
    # And the other way round: broken live files do not stop a commit that mends them.
    (serving.live / "conf.d/b.conf").write_bytes(b"nonsense;\n")
    converge(serving.target(), absolute, applied=absolute)
    assert serving.ask("b.test").body == b"b1"


def test_a_longer_path_is_another_one(serving: NginxSubject) -> None:
    other = serving.published.parent / f"{serving.live.name}-other"
    other.mkdir()
    (other / "x.conf").write_bytes(b"# fine\n")
    converge(serving.target(), with_main(serving, "include conf.d/", f"include {other}/*.conf;\ninclude conf.d/"))


class TestMainFileElsewhere:
    """As distributions have it: nginx.conf is the package's, only conf.d is published."""

    @pytest.fixture
    def etc(self, tmp_path: Path, serving: NginxSubject) -> Path:
        etc = tmp_path / "etc"
        etc.mkdir()
        (etc / "mime.types").write_bytes(b"types { text/plain txt; }\n")
        main = MAIN.replace("include conf.d/", f"include mime.types;\ninclude {serving.live}/conf.d/")
        (etc / "nginx.conf").write_text(main)
        return etc

    def test_the_staged_files_are_checked_with_it(self, serving: NginxSubject, etc: Path) -> None:
        target = serving.target(config=str(etc / "nginx.conf"))
        assert plan(target, {**serving.first, "conf.d/b.conf": site("b.test", "b2")}, applied=serving.first)
        with pytest.raises(InvalidRevision, match=r'conf\.d/b\.conf:1: unknown directive "nonsense"'):
            plan(target, {**serving.first, "conf.d/b.conf": b"nonsense;\n"}, applied=serving.first)

    def test_its_own_mistakes_are_the_operators(self, serving: NginxSubject, etc: Path) -> None:
        (etc / "nginx.conf").write_bytes(b"nonsense;\n")
        with pytest.raises(Unavailable, match=r'unknown directive "nonsense" in .*nginx\.conf:1, which is not in this folder'):
            plan(serving.target(config=str(etc / "nginx.conf")), serving.second, applied=serving.first)

    def test_it_may_lie_around_the_published_directory(self, in_place: NginxSubject) -> None:
        """/etc/nginx/nginx.conf with a relative include of /etc/nginx/sites, which is published."""
        around = in_place.published
        (around / "main.conf").write_text(MAIN.replace("include conf.d/", "include mime.types;\ninclude sites/deep/"))
        target = in_place.target(directory=str(around / "sites/deep"), config=str(around / "main.conf"))
        assert plan(target, {"a.conf": site("a.test", "a1")})
        with pytest.raises(InvalidRevision, match=r'^a\.conf:1: unknown directive "nonsense"'):
            plan(target, {"a.conf": b"nonsense;\n"})

    def test_without_it_nothing_can_be_checked(self, serving: NginxSubject) -> None:
        with pytest.raises(Unavailable, match=r"nginx's main configuration /no/such/nginx\.conf: No such file"):
            plan(serving.target(config="/no/such/nginx.conf"), serving.second, applied=serving.first)
