"""The connection to the engine, and what its errors mean to us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.secret import mask

if TYPE_CHECKING:
    import docker

_QUOTED = 300


def connect(address: str, timeout: float) -> docker.APIClient:
    """`address` as in DOCKER_HOST; that, or the usual socket, where it is empty. Raises Unavailable."""
    import docker
    from docker.utils import kwargs_from_env

    with naming("connecting"):
        base = address or kwargs_from_env().get("base_url")
        return docker.APIClient(base, version="auto", timeout=max(1, round(timeout)))


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Errors of the SDK end here: Unavailable when the engine is away, or what it was asked about; ApplyFailed when it says no."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        said = mask(" ".join(str(error.explanation or error).split()))[:_QUOTED]
        status = error.status_code or 500
        # 404 and 409: it is gone, or not running, since it was looked at. The next run looks again.
        raise (Unavailable if status >= 500 or status in (404, 409) else ApplyFailed)(f"docker: {what}: {said}") from None
    except (DockerException, requests.RequestException) as error:
        raise Unavailable(f"docker: {what}: {mask(_cause(error))}") from None


def unless_gone() -> suppress:
    """Goes on behind the block where the engine knows no such thing."""
    from docker.errors import NotFound

    return suppress(NotFound)


def _cause(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (getattr(error, "strerror", None) or str(error)).lower()


def image_id(api: docker.APIClient, name: str) -> str:
    """Of the image that a reference, or an id, means on this engine, `sha256:…`, or empty where there is none."""
    with naming(f"image {name}"), unless_gone():
        return str(api.inspect_image(name)["Id"])  # type: ignore[no-untyped-call]
    return ""
