"""The wheel: it holds `amends` alone, and runs the first saga of the docs where nothing else of this folder is."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
import redis
from celery import Celery
from packaging.requirements import Requirement

from demo.programs import ROOT, Program, running
from tests.support.app import ping

pytestmark = pytest.mark.xdist_group("wheel")  # one wheel and one environment for all

INCLUDE = re.compile(r"^--! include (\w+)$", flags=re.MULTILINE)
LOOK_AROUND = """
import importlib.util, json, amends, amends.backend.scripts
strangers = "tasks", "sagas", "services", "demo", "fastapi", "fakeredis"
print(json.dumps({
    "amends": amends.__file__,
    "scripts": amends.backend.scripts.SCRIPTS,
    "strangers": [name for name in strangers if importlib.util.find_spec(name)],
}))
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment that holds the wheel and what it says it needs, and nothing else."""

    base: Path

    @property
    def packages(self) -> Path:
        base = {"base": str(self.base), "platbase": str(self.base)}
        return Path(sysconfig.get_path("purelib", "venv", vars=base))

    @property
    def python(self) -> str:
        return str(self.base / "bin" / "python")

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": f"{self.base / 'bin'}:/usr/bin:/bin", "PYTHONPATH": "", "PYTHONHOME": ""}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources: `build/` in a working tree keeps files that are gone, and puts them in the wheel."""
    copy = tmp_path_factory.mktemp("wheel") / "source"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=unwanted)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """Build the wheel, without an index: the setuptools that pyproject.toml asks for is installed."""
    target = source.parent / "dist"
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(source))
    (wheel,) = target.iterdir()
    return wheel


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Environment:
    """Install the wheel in an environment of its own, and lend it what its metadata asks for."""
    environment = Environment(base=wheel.parent.parent / "environment")
    venv.create(environment.base, symlinks=True)
    pip("--python", environment.python, "install", "--no-deps", "--no-index", str(wheel))
    (installed,) = distributions(name="amends", path=[str(environment.packages)])
    for needed in requirements_of(installed):
        lend(needed, environment)
    return environment


def pip(*arguments: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def requirements_of(installed: Distribution) -> Iterator[Distribution]:
    """Yield every distribution that this one needs, directly or not, as the metadata says."""
    todo = list(applying(installed, extra=""))
    seen = set()
    while todo:
        requirement = todo.pop()
        needed = distribution(requirement.name)
        for extra in {"", *requirement.extras} - {
            extra for name, extra in seen if name == needed.name
        }:
            seen.add((needed.name, extra))
            todo += applying(needed, extra=extra)
            if not extra:
                yield needed


def applying(needing: Distribution, *, extra: str) -> Iterator[Requirement]:
    for requirement in map(Requirement, needing.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def lend(needed: Distribution, environment: Environment) -> None:
    """Let a distribution of this process's environment be found in another one, with its commands."""
    for file in needed.files or ():
        path = Path(str(needed.locate_file(file))).resolve()
        if file.parts[0] == "..":
            command = environment.base / "bin" / path.name
            if path.parent.name == "bin" and path.is_file() and not command.exists():
                _, _, rest = path.read_text(encoding="utf-8").partition("\n")
                command.write_text(f"#!{environment.python}\n{rest}", encoding="utf-8")
                command.chmod(0o755)
        elif not (link := environment.packages / file.parts[0]).exists():
            link.symlink_to(needed.locate_file(file.parts[0]))


def test_the_wheel_holds_all_of_amends_and_nothing_else(source: Path, wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    held = {name for name in names if ".dist-info/" not in name}
    ours = ("amends", "amends_commands", "amends_pytest")
    written = (path for own in ours for path in (source / own).rglob("*") if path.is_file())
    assert held == {str(path.relative_to(source)) for path in written}
    assert "amends/py.typed" in held
    assert any(
        name.startswith(("amends/log/lua/", "amends/breaker/lua/")) and name.endswith(".lua")
        for name in held
    )
    assert {name.partition("/")[0] for name in names - held} == {
        "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    }


def test_every_script_loads_where_only_the_wheel_is(
    source: Path, environment: Environment, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [environment.python, "-c", LOOK_AROUND],
        cwd=tmp_path,
        env=environment.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert Path(seen["amends"]).is_relative_to(environment.packages)
    assert seen["strangers"] == []
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for path in source.glob("amends/*/lua/*.lua")
        if path.parent.parent.name != "barrier"  # which reads its own
    }
    parts = {each for text in texts.values() for each in INCLUDE.findall(text)}
    names = {name.removesuffix("_plain") for name in seen["scripts"]}
    assert names == texts.keys() - parts
    assert all("redis.call(" in script for script in seen["scripts"].values())


class InstalledWorker(Program):
    """A worker in the environment of the wheel, on that broker."""

    broker: str

    def answers(self) -> bool:
        with Celery("observer", broker=self.broker, set_as_current=False) as observer:
            return bool(ping(observer))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("README.md", ["a room in Oslo", "no room in Atlantis"]),
        (
            "docs/guide.md",
            ["booking a room under the key", "cancelling what was booked under the key"],
        ),
    ],
)
def test_a_first_saga_runs_as_it_is_printed(
    source: Path,
    environment: Environment,
    redis_url: str,
    tmp_path: Path,
    page: str,
    said: list[str],
) -> None:
    module, session, command = first_saga(source / page)
    broker, backend = f"{redis_url}/8", f"{redis_url}/9"
    module = module.replace("redis://localhost:6379/0", broker)
    module = module.replace("redis://localhost:6379/1", backend)
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "trips.py").write_text(module, encoding="utf-8")
    (folder / "session.txt").write_text(session, encoding="utf-8")
    redis.Redis.from_url(backend).flushdb()  # of the other page's sagas
    variables = environment.variables
    in_folder = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder)]
    worker = InstalledWorker(
        "worker", [*in_folder, *command], directory=tmp_path, environment=variables
    )
    worker.broker = broker
    with running(worker):
        asked = subprocess.run(
            [environment.python, "-m", "doctest", "session.txt"],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        log = worker.logged()
    listed = subprocess.run(
        [environment.python, "-m", "celery", "-A", "trips", "saga", "list", "--json"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr + log
    assert [each for each in said if each not in log] == []
    assert listed.returncode == 0, listed.stdout + listed.stderr
    ended = {saga["status"] for saga in json.loads(listed.stdout)["sagas"]}
    assert ended == {"completed", "compensated"}


def first_saga(page: Path) -> tuple[str, str, list[str]]:
    """Return what a page prints: the file `trips.py`, what Python is asked, the worker's command."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (module,) = [block for block in blocks if 'Celery("trips"' in block]
    (session,) = [block for block in blocks if block.startswith(">>> from trips import")]
    assert session.count("trip_saga.start(") == 2
    (command,) = re.findall(r"`(celery -A trips worker)`", text)
    return module, session, command.split()
