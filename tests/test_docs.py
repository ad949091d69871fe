"""The documentation keeps its promises: every setting, kind, error and command is described, and what is described exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from gitops_agent import errors, settings, targets
from gitops_agent.target import TargetSettings
from script.reference import manual
from tests.conftest import ROOT

_FOLDERS = ("docs", "repo-template", "small-example", "stack")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in _FOLDERS for page in ROOT.glob(f"{folder}/**/*.md"))])
_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and those its fields hold."""
    yield model
    for field in model.model_fields.values():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _models(annotation)


def _all_models() -> list[type[BaseModel]]:
    tops = [settings.AgentSettings, settings.EnvironmentSettings, TargetSettings]
    tops += [targets.load(kind).Settings for kind in targets.kinds()]
    return [model for top in tops for model in _models(top)]


def test_every_setting_has_its_manual() -> None:
    silent = {
        f"{model.__name__}.{name}"
        for model in _all_models()
        for name, field in model.model_fields.items()
        if name not in manual(model) and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    }
    assert silent == set()


def test_reference_is_fresh() -> None:
    done = subprocess.run([ROOT / "script/docs", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", targets.kinds())
def test_every_kind_has_its_page(kind: str) -> None:
    page = ROOT / f"docs/targets/{kind}.md"
    assert page.exists(), f"{page.relative_to(ROOT)} is missing"
    assert f'kind = "{kind}"' in page.read_text(), "it has no example for agent.toml"


def test_every_error_is_described() -> None:
    classes = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, errors.AgentError)}
    text = (ROOT / "docs/architecture.md").read_text() + "".join(page.read_text() for page in ROOT.glob("docs/operations*.md"))
    assert {name for name in classes - {"AgentError"} if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = {link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()}
    assert broken == set()


def _commands() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words:
                    yield str(page.relative_to(ROOT)), words


def test_scripts_in_the_docs_exist() -> None:
    named = {word for _, words in _commands() for word in words[:1] if word.startswith(("script/", "bench/", ".ci/"))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_commands_in_the_docs_exist() -> None:
    """With every option they are shown with."""
    manual = (ROOT / "docs/reference/commands.md").read_text()
    known = {
        name: set(re.findall(r"--[a-z-]+", text))
        for name, text in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", manual, re.DOTALL | re.MULTILINE)
    }
    wrong = []
    for page, words in _commands():
        if words[0].rpartition("/")[2] == "gitops-agent":
            name = next((word for word in words[1:] if not word.startswith("-")), "")
            options = {word.partition("=")[0] for word in words[1:] if word.startswith("--")} - {"--help", "--version", "--debug"}
            if (name and name not in known) or not options <= known.get(name, set()):
                wrong.append(f"{page}: {' '.join(words)}")
    assert wrong == []
