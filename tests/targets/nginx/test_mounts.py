"""Which mounts a throw-away container gets."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from gitops_agent.container.shapes import Mount
from gitops_agent.errors import ConfigError
from gitops_agent.targets.nginx.mounts import PublishedMounts

SITE = Path("/srv/nginx")
CERTIFICATES = Mount("certs", "/etc/ssl", "volume")


def in_place(*mounts: Mount) -> PublishedMounts:
    return PublishedMounts(mounts, SITE, SITE)


def switch(*mounts: Mount) -> PublishedMounts:
    return PublishedMounts(mounts, SITE, SITE / "current")


def test_single_files_and_folders_are_replaced_and_the_rest_kept(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").touch()
    (tmp_path / "conf.d").mkdir()
    mounts = in_place(
        Mount("/srv/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
        Mount("/srv/nginx/conf.d", "/etc/nginx/conf.d", writable=True),
        Mount("/srv/nginx/gone.conf", "/etc/nginx/gone.conf"),
        Mount("/srv/nginx2", "/other"),
        CERTIFICATES,
    )
    assert list(mounts.staged(tmp_path)) == [
        Mount(f"{tmp_path}/nginx.conf", "/etc/nginx/nginx.conf"),
        Mount(f"{tmp_path}/conf.d", "/etc/nginx/conf.d", writable=True),
        Mount("/srv/nginx2", "/other"),
        CERTIFICATES,
    ]


def test_a_mount_from_above_is_kept_with_the_staged_files_in_it(tmp_path: Path) -> None:
    above = Mount("/srv", "/data")
    assert list(switch(above).staged(tmp_path)) == [above, Mount(str(tmp_path), "/data/nginx")]


def test_paths_inside_and_outside() -> None:
    mounts = in_place(Mount("/srv/nginx/conf.d", "/etc/nginx/conf.d"), Mount("/srv", "/data"), CERTIFICATES)
    assert mounts.inside(SITE / "conf.d/a.conf") == PurePosixPath("/etc/nginx/conf.d/a.conf")
    assert mounts.inside(SITE / "nginx.conf") == PurePosixPath("/data/nginx/nginx.conf")
    assert mounts.outside("/etc/nginx/conf.d/a.conf") == SITE / "conf.d/a.conf"
    assert mounts.outside("/etc/nginx/mime.types") is None
    assert mounts.outside("/etc/ssl/a.pem") is None


def test_a_file_that_no_mount_shows() -> None:
    mounts = in_place(Mount("/srv/nginx/conf.d", "/etc/nginx/conf.d"))
    with pytest.raises(ConfigError, match=r"does not mount /srv/nginx/nginx\.conf"):
        mounts.inside(SITE / "nginx.conf")


@pytest.mark.parametrize("source", ["/srv/nginx/current", "/srv/nginx/current/conf.d"])
def test_what_the_link_leads_to_must_not_be_mounted(source: str) -> None:
    """Docker follows the link once, when the container starts: no switch would ever be seen."""
    with pytest.raises(ConfigError, match="which `switch` replaces; let it mount /srv/nginx"):
        switch(Mount(source, "/etc/nginx"))


def test_nothing_mounted() -> None:
    with pytest.raises(ConfigError, match="mounts nothing of /srv/nginx"):
        switch(Mount("/srv/nginx2", "/etc/nginx"), CERTIFICATES)
