"""The source distribution and the wheel that is built from it, and environments that hold the wheel."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from demo.programs import ROOT
from tests.support.environments import Environment, install, run

HIDDEN = {".ci", ".dockerignore", ".gitignore"}  # that are of the checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One build for all: in one process of pytest-xdist."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("package"))


def unwanted(_: str, names: list[str]) -> Iterable[str]:
    """Name what no checkout has: `build/` in a working tree keeps files that are gone, and puts them in the wheel."""
    made = {"__pycache__", "build", "dist"}
    return [
        name
        for name in names
        if (name.startswith(".") and name not in HIDDEN)
        or name in made
        or name.endswith(".egg-info")
    ]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the checkout."""
    copy = tmp_path_factory.mktemp("package") / "source"
    shutil.copytree(ROOT, copy, ignore=unwanted)
    return copy


@pytest.fixture(scope="session")
def built(source: Path) -> Path:
    """Build both as a release does, without an index: the setuptools that pyproject.toml asks for is installed."""
    target = source.parent / "dist"
    shutil.copytree(source, source.parent / "build")  # which the build adds files to
    run("-m", "build", "--no-isolation", "--outdir", target, source.parent / "build")
    return target


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    (sdist,) = built.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def environment(wheel: Path, source: Path) -> Environment:
    return install(wheel, source.parent / "environment")
