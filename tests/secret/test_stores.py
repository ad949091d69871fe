"""Where values come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.secret import by_scheme, from_directory


def test_a_file_is_a_value_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"pass word\r\n\n")
    (tmp_path / "key").write_bytes(b"-----BEGIN\nabc\n-----END\n")
    lookup = from_directory(tmp_path)
    assert lookup("file:db") == "pass word"
    assert lookup("file:key") == "-----BEGIN\nabc\n-----END"


def test_a_rotated_file_is_read_again(tmp_path: Path) -> None:
    lookup = from_directory(tmp_path)
    (tmp_path / "db").write_text("old")
    assert lookup("file:db") == "old"
    (tmp_path / "db").write_text("new")
    assert lookup("file:db") == "new"


def test_links_are_followed_as_docker_mounts_them(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/db").write_text("value")
    (tmp_path / "db").symlink_to("..data/db")
    assert from_directory(tmp_path)("file:db") == "value"


@pytest.mark.parametrize(
    "reference", ["file:../etc/passwd", "file:/etc/passwd", "file:a/b", "file:.hidden", "file:..", "file:", "file:a\0b"]
)
def test_nothing_outside_of_the_directory_is_read(tmp_path: Path, reference: str) -> None:
    with pytest.raises(InvalidRevision, match="names no file of the secrets directory"):
        from_directory(tmp_path)(reference)


def test_what_is_not_there_yet_waits(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^secret 'file:db' does not exist yet$"):
        from_directory(tmp_path)("file:db")


def test_what_cannot_be_read_waits(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(Unavailable, match=r"^secret 'file:folder' cannot be read: Is a directory$"):
        from_directory(tmp_path)("file:folder")
    with pytest.raises(Unavailable, match=r"^secret 'file:binary' is no UTF-8 text$"):
        from_directory(tmp_path)("file:binary")


def test_each_scheme_has_its_store() -> None:
    lookup = by_scheme({"file": lambda reference: f"from a file: {reference}"}, lambda reference: f"from Vault: {reference}")
    assert lookup("file:db") == "from a file: file:db"
    assert lookup("kv/app/db#user") == "from Vault: kv/app/db#user"
    assert lookup("kv/app:1/db#user") == "from Vault: kv/app:1/db#user"
    assert lookup("file") == "from Vault: file"


def test_without_a_store_there_is_no_value() -> None:
    with pytest.raises(Unavailable, match=r"^no secret store is configured for 'kv/app#x'$"):
        by_scheme({"file": str})("kv/app#x")
