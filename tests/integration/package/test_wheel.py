"""The wheel: it holds `amends` alone, and runs the first saga of the docs where nothing else of this folder is."""

import json
import re
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
import redis
from celery import Celery

from demo.programs import Program, running
from tests.support.app import ping
from tests.support.environments import Environment

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
    seen = json.loads(environment.ask(LOOK_AROUND, tmp_path))
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
