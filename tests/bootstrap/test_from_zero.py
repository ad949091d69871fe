"""A whole mini-cloud on the real Docker Engine: from an empty host to a green first run, lived with, and taken away again.

One scenario, because bringing it up is what costs: each scene stands on what the ones before it left. What OpenBao lacks, and
programs that cannot be installed here, are left out by values.
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bootstrap.mini_cloud import OWNER, MiniCloud, mini_cloud
from tests.conformance import turns
from tests.gitserver import git
from tests.targets.compose.engine import docker

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]
_RUNNING = {"consul", "gitea", "gitops-agent", "nginx", "pgadmin", "postgres", "prometheus", "vault"}
_APPLIED = 60.0
_SEED = 5
_STEPS = 11
"""Of this mini-cloud's that have something to do."""
HERE = {"name": "here", "service": "consul", "port": 8500}


@pytest.fixture
def cloud(free_port: Callable[[], int]) -> Iterator[MiniCloud]:
    """Nothing of it is there yet, but for its images and the owner's clone."""
    directory = Path(tempfile.mkdtemp(prefix="gitops-"))
    directory.chmod(0o755)
    try:
        with mini_cloud(directory, f"gitops-agent-test-{uuid.uuid4().hex[:8]}", free_port) as made:
            yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_a_mini_cloud_from_zero(cloud: MiniCloud) -> None:
    a_dry_run_changes_nothing(cloud)
    killed_in_its_steps_it_comes_to_a_green_first_run(cloud)
    a_second_time_there_is_nothing_to_do(cloud)
    every_hostname_answers_over_https(cloud)
    pgadmin_shows_its_owner_the_server(cloud)
    a_push_is_applied_and_a_revert_takes_it_back(cloud)
    a_clone_that_is_behind_is_not_gone_by(cloud)
    a_password_that_changes_is_taken_by_one_run(cloud)
    what_lost_its_data_is_mended_alone(cloud, "consul")
    what_lost_its_data_is_mended_alone(cloud, "vault")
    the_config_repo_comes_back_to_a_gitea_that_lost_its_data(cloud)
    taken_down_nothing_but_data_is_left(cloud)
    with_its_data_destroyed_nothing_is_left(cloud)


def a_dry_run_changes_nothing(cloud: MiniCloud) -> None:
    said = cloud.bootstrap("--dry-run")
    assert (said.status, said.err) == (0, "")
    assert all(line.startswith("✗ ") for line in said.out.splitlines())
    assert not cloud.root.exists()
    assert not any(cloud.left().values())


def killed_in_its_steps_it_comes_to_a_green_first_run(cloud: MiniCloud) -> None:
    """Failure mode 64. Whatever a step that is killed has begun, or left running, the next run goes on from there. Each day has its
    steps: tests/conformance/turns.py."""
    moments = random.Random(_SEED)
    killed: list[str] = []
    while step := cloud.killed_bootstrap(killed, after=moments.uniform(0, 1)):
        killed.append(step)
    assert len(killed) >= _STEPS // turns.EVERY
    assert set(cloud.containers()) == _RUNNING
    assert cloud.status(cloud.head) == "success"


def a_second_time_there_is_nothing_to_do(cloud: MiniCloud) -> None:
    before = cloud.containers()
    done = cloud.bootstrap()
    assert done.status == 0, done.err
    steps, said, _ = done.out.partition("nothing to do\n")
    assert said, done.out
    assert all(line.startswith("✓ ") and line.endswith(" done") for line in steps.splitlines()), steps
    assert cloud.containers() == before


def every_hostname_answers_over_https(cloud: MiniCloud) -> None:
    """By the backend that it is for."""
    assert cloud.ask("git", "/api/v1/version").json == {"version": "1.26.3"}
    assert ":8300" in cloud.ask("consul", "/v1/status/leader").json
    assert cloud.ask("vault", "/v1/sys/seal-status").json["sealed"] is False
    assert cloud.ask("metrics", "/api/v1/status/buildinfo").json["status"] == "success"
    assert cloud.ask("deploy", "/healthz").status == 200
    assert cloud.ask("pgadmin", "/misc/ping").body == b"PING"


def pgadmin_shows_its_owner_the_server(cloud: MiniCloud) -> None:
    """It lets nobody in whose address it takes for none, as in domains that are nobody else's."""
    with cloud.browser("pgadmin") as browser:
        page = browser.ask("/login")
        token = re.search(r'csrfToken"?: "([^"]+)"', page.body.decode())
        assert token, page.body
        owner = {"email": OWNER, "password": cloud.secret("pgadmin-admin"), "csrf_token": token[1]}
        assert browser.ask("/authenticate/login", form=owner).status == 302
        headers = {"X-pgA-CSRFToken": token[1]}
        said = browser.ask("/browser/server_group/nodes/", headers)
        assert said.status == 200, said.body
        (group,) = said.json["data"]
        (server,) = browser.ask(f"/browser/server/nodes/{group['_id']}/", headers).json["result"]
    assert (group["label"], server["label"]) == ("Servers", f"PostgreSQL of {cloud.project}")


def a_push_is_applied_and_a_revert_takes_it_back(cloud: MiniCloud) -> None:
    more = {**cloud.values, "hostnames": [*cloud.values["hostnames"], HERE]}
    applied(cloud, cloud.push(more))
    assert ":8300" in cloud.ask("here", "/v1/status/leader").json
    applied(cloud, cloud.push(cloud.values))
    with pytest.raises(OSError, match=r"(?i)unrecognized.name"):
        cloud.ask("here")


def a_clone_that_is_behind_is_not_gone_by(cloud: MiniCloud) -> None:
    """Somebody else has pushed since."""
    newest = cloud.push({**cloud.values, "hostnames": [*cloud.values["hostnames"], HERE]})
    applied(cloud, newest)
    git("reset", "--quiet", "--hard", "HEAD^", at=cloud.clone)
    docker("rm", "--force", f"{cloud.project}-agent-gitops-agent-1")
    done = cloud.bootstrap()
    assert done.status == 0, done.err + done.out
    assert f"what counts is {newest[:10]}: going by that. What only the clone has counts once it is pushed" in done.out
    assert ":8300" in cloud.ask("here", "/v1/status/leader").json
    assert cloud.main() == newest
    git("reset", "--quiet", "--hard", newest, at=cloud.clone)


def a_password_that_changes_is_taken_by_one_run(cloud: MiniCloud) -> None:
    """Seen live: the role that PostgreSQL's image had made was taken for somebody else's."""
    assert cloud.agent("sync", "mini-cloud").status == 0  # its run at start would take the password, too
    before = cloud.containers()
    cloud.put_secret("gitea-database", changed := uuid.uuid4().hex)
    done = cloud.agent("sync", "mini-cloud")
    assert done.status == 0, done.err + done.out
    assert "  ~ update role:gitea  differs in password\n" in done.out, done.out
    after = cloud.containers()
    assert [name for name in before if before[name] != after[name]] == ["gitea"]
    login = f"host=127.0.0.1 user=gitea dbname=gitea password={changed}"
    assert docker("exec", f"{cloud.project}-postgres-1", "psql", login, "--tuples-only", "--command=SELECT 1").strip() == "1"


def what_lost_its_data_is_mended_alone(cloud: MiniCloud, service: str) -> None:
    before = cloud.containers()
    cloud.lose(service)
    done = cloud.bootstrap()
    assert done.status == 0, done.err + done.out
    after = cloud.containers()
    assert {name for name in before if before[name] != after.get(name)} <= {service, "gitops-agent"}
    applied(cloud, cloud.push({**cloud.values, "hostnames": [*cloud.values["hostnames"], {**HERE, "name": f"after-{service}"}]}))
    assert ":8300" in cloud.ask(f"after-{service}", "/v1/status/leader").json


def the_config_repo_comes_back_to_a_gitea_that_lost_its_data(cloud: MiniCloud) -> None:
    """From the agent's mirror: nobody has a clone."""
    before, applied_last, password = cloud.containers(), cloud.main(), cloud.secret("gitea-admin")
    cloud.lose("gitea")
    done = cloud.bootstrap(place=cloud.root)
    assert done.status == 0, done.err + done.out
    after = cloud.containers()
    assert {name for name in before if before[name] != after.get(name)} == {"gitea", "gitops-agent"}
    assert cloud.main() == applied_last
    assert cloud.secret("gitea-admin") != password
    applied(cloud, cloud.push({**cloud.values, "hostnames": [*cloud.values["hostnames"], {**HERE, "name": "after-gitea"}]}))
    assert ":8300" in cloud.ask("after-gitea", "/v1/status/leader").json


def taken_down_nothing_but_data_is_left(cloud: MiniCloud) -> None:
    volumes = cloud.left()["volume"]
    done = cloud.run("bootstrap", str(cloud.clone), "--down")
    assert done.status == 0, done.err
    assert cloud.left() == {"containers": [], "network": [], "volume": volumes}
    assert cloud.secret("postgres-superuser")


def with_its_data_destroyed_nothing_is_left(cloud: MiniCloud) -> None:
    done = cloud.run("bootstrap", str(cloud.clone), "--down", "--destroy-data", "--yes")
    assert done.status == 0, done.err
    assert not any(cloud.left().values())
    assert list(cloud.root.iterdir()) == []


def applied(cloud: MiniCloud, sha: str) -> None:
    deadline = time.monotonic() + _APPLIED
    while (said := cloud.status(sha)) != "success":
        assert said in ("", "pending"), said
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
