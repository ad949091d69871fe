"""Files as resources, in the shape of those that are desired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitops_agent.file_target.publisher import Found
from gitops_agent.model import Resource, State

_UNVERIFIED = "not verified"


def as_resources(found: Mapping[str, Found], desired: State) -> Iterator[Resource]:
    """`loaded` is in a spec only where it is news: the file is as desired, but the program was not seen to load it."""
    for path, there in found.items():
        wanted = desired.get(path)
        if there.file is None:
            if wanted is None:  # gone from the disk, but the program may still use it
                yield Resource(path, {"content": b"", "loaded": _UNVERIFIED})
        elif isinstance(there.file, str):
            yield Resource(path, {"content": there.file}, owned=there.owned)
        else:
            spec: dict[str, object] = {"content": there.file.content}
            if wanted is not None and "mode" in wanted.spec:
                # A file that is not ours yet is adopted as it is, mode and all.
                keeps = there.as_found or not there.owned
                spec["mode"] = wanted.spec["mode"] if keeps else f"{there.file.mode:04o}"
            if not there.loaded and wanted is not None and spec == wanted.spec:
                spec["loaded"] = _UNVERIFIED
            yield Resource(path, spec, owned=there.owned)
