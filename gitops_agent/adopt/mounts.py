"""Which mounts hold configuration, which hold what programs write themselves, and which are the host's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from gitops_agent.adopt.landscape import Landscape, Service, Use
from gitops_agent.adopt.left import Left, Why

_HOST = (
    *("/proc", "/sys", "/dev", "/run", "/var/run", "/var/lib/docker", "/usr", "/lib", "/bin"),
    *("/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/resolv.conf"),
)
_DATA = ("/var/lib", "/var/log", "/var/cache", "/data", "/backup", "/tmp")  # noqa: S108 -- paths in containers
_SCRATCH = ("*.bak", "*~", "*.swp", "*.orig", "*.old", "*.rej", "*.log", "*.pid", "*.tmp", ".DS_Store", "*.sock")
_DESTINATION = re.compile(r"""\bdestination\s*=\s*["']([^"']+)["']""")
_RENDERED = re.compile(r"-template[= ]\s*[\"']?[^:\s]+:([^:\s\"']+)")


@dataclass(frozen=True)
class Mounts:
    """`config` are mounts of files that people write; `written` says by path of the host which program writes there: directories,
    and single files that consul-template renders."""

    config: tuple[Use, ...]
    written: Mapping[Path, str]

    def writer(self, path: Path) -> str:
        """Who writes the path, or a directory that it lies in; empty where nobody is known to."""
        return next((self.written[place] for place in (path, *path.parents) if place in self.written), "")


def is_scratch(path: str) -> bool:
    """Copies of editors and the like: nobody's configuration."""
    name = PurePosixPath(path).name
    return any(fnmatchcase(name, pattern) for pattern in _SCRATCH)


def sort(landscape: Landscape, left: Left) -> Mounts:
    uses = [use for use in landscape.uses() if not _is_the_hosts(use.source)]
    written = {use.source: use.service.name for use in uses if _is_data(use)}
    candidates = [use for use in uses if use.source not in written]
    for use in candidates:
        if _may_write(use) and any(_reads(other, use, landscape.directory) for other in candidates):
            written[use.source] = use.service.name
    for service in landscape.services:
        written |= dict.fromkeys(_rendered(service), service.name)
    for path, writer in written.items():
        left.add(Why.WRITTEN, str(path), f"by {writer}")
    config = [use for use in candidates if use.source not in written and not _only_rendered_into(use, written)]
    return Mounts(tuple(config), written)


def _only_rendered_into(use: Use, written: Mapping[Path, str]) -> bool:
    """A directory that consul-template is given to write into is not where its own files are."""
    service = use.service
    if service.program is None or service.program.name != "consul-template":
        return False
    main = service.outside(service.program.main_file(service.found))
    own = main is not None and main.is_relative_to(use.source)
    return not own and any(path.is_relative_to(use.source) for path, writer in written.items() if writer == service.name)


def _is_the_hosts(source: Path) -> bool:
    system = any(source.is_relative_to(place) for place in _HOST)
    return system or not (source.is_dir() or source.is_file())


def _is_data(use: Use) -> bool:
    known = use.service.program.data if use.service.program else ()
    return use.writable and not use.source.is_file() and any(use.target.is_relative_to(place) for place in (*known, *_DATA))


def _may_write(use: Use) -> bool:
    """Programs that are known to only read their files are often given more by a mount that forgot `:ro`."""
    program = use.service.program
    only_reads = program is not None and program.kind and program.name != "consul-template"
    return use.writable and use.source.is_dir() and not only_reads


def _reads(other: Use, writer: Use, project: Path) -> bool:
    """A directory that one program may write and another only reads is written by the first."""
    if other.writable or other.service.name == writer.service.name or project.is_relative_to(other.source):
        return False
    return writer.source.is_relative_to(other.source)


def _rendered(service: Service) -> Iterator[Path]:
    """What consul-template is told to write, as far as it lies on the host."""
    if service.program is None or service.program.name != "consul-template":
        return
    said = _RENDERED.findall(" ".join(service.found.command))
    for file in _texts([use.source for use in service.uses()]):
        said += _DESTINATION.findall(file)
    for target in said:
        if (path := service.outside(target)) is not None:
            yield path


def _texts(sources: Sequence[Path]) -> Iterator[str]:
    for source in sources:
        for path in [source] if source.is_file() else sorted(source.glob("**/*.hcl")):
            try:
                yield path.read_text()
            except (OSError, UnicodeDecodeError):
                continue
