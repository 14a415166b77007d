"""docker-compose.yml and the Dockerfile, without Docker: what they say is valid, and their commands run."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from ruamel.yaml import YAML

import tasks
from demo.ports import LOOPBACK, free_port
from demo.programs import ROOT, Program, running
from demo.servers import FLOWER_OPTIONS, REDIS_SETTINGS, find_redis, redis_answers
from tests.support.eventually import eventually
from tests.support.servers import skip_without

COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PYTHON_SERVICES = [name for name in SERVICES if name != "redis"]
ORDER = """
import os, httpx, tasks
from sagas.order import order_saga
from tasks.orders import Order
httpx.put(os.environ["SERVICES_URL"] + "/inventory/stock/book", json={"quantity": 1}).raise_for_status()
item = {"product_id": "book", "quantity": 1, "price": "7.00"}
order = Order(order_id="order-1", user_id="ada", total_amount="7.00", shipping_address="1 Nowhere", items=[item])
print(order_saga.start(order).wait(timeout=60).outcome)
"""


@dataclass(frozen=True, kw_only=True)
class Containers:
    """What each service would find inside of its container, in a folder and at addresses of this machine."""

    app: Path
    replacements: Mapping[str, str]

    def here(self, text: str) -> str:
        """Return a text of the compose file with this machine's addresses in it."""
        known = {**self.replacements, "$$": "$"}
        return re.sub("|".join(map(re.escape, known)), lambda found: known[found[0]], text)

    def command(self, service: str, command: Sequence[str] = ()) -> list[str]:
        """Return the command that runs a command, by default its own, in the surroundings of a service."""
        of_service = SERVICES[service].get("environment", {})
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": "",
            "HOSTNAME": socket.gethostname(),  # which Docker sets
            "FLOWER_ADDRESS": LOOPBACK,
            **{name: self.here(value) for name, value in of_service.items() if value is not None},
        }
        pairs = (f"{name}={value}" for name, value in variables.items())
        words = map(self.here, command or SERVICES[service]["command"])
        return ["env", *pairs, "sh", "-c", 'cd "$0" && exec "$@"', str(self.app), *words]

    def run(self, service: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, as `docker compose exec` would."""
        command = self.command(service, command)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def is_healthy(self, service: str) -> bool:
        """Run the health check of a service."""
        kind, *test = SERVICES[service]["healthcheck"]["test"]
        shell = {"CMD": [], "CMD-SHELL": ["sh", "-c"]}[kind]
        return self.run(service, *shell, *test).returncode == 0


@pytest.fixture(scope="module")
def containers(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Start every Python service, in a folder that holds what the Dockerfile copies."""
    directory = tmp_path_factory.mktemp("containers")
    app = directory / "app"
    for source, target in copies(last_stage()):
        where = app / target / (source if target.endswith("/") else "")
        where.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, where)
    replacements = {
        "redis://redis:6379/0": f"{redis_url}/6",
        "redis://redis:6379/1": f"{redis_url}/7",
        "http://services:": f"http://{LOOPBACK}:",
        "0.0.0.0": LOOPBACK,  # noqa: S104 - what is replaced
        "8080": str(free_port()),
        "5555": str(free_port()),
        "9808": str(free_port()),
        "5557": str(free_port()),
        "/data/": f"{directory}/",
        "/tmp/": f"{directory}/",  # noqa: S108 - what is replaced
    }
    containers = Containers(app=app, replacements=replacements)
    programs = [
        Program(service, containers.command(service), directory=directory)
        for service in PYTHON_SERVICES
    ]
    with running(*programs):
        yield containers


def dockerfile() -> list[list[str]]:
    """Return the instructions of the Dockerfile, in words."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def copies(instructions: list[list[str]]) -> Iterator[tuple[str, str]]:
    """Yield what is copied from this folder, and where to."""
    for name, *words in instructions:
        if name == "COPY" and not words[0].startswith("--from="):
            for source in words[:-1]:
                yield source, words[-1]


def last_stage() -> list[list[str]]:
    """Return the instructions that make the image itself."""
    instructions = dockerfile()
    start = max(number for number, words in enumerate(instructions) if words[0] == "FROM")
    return instructions[start:]


def test_the_compose_file_is_valid() -> None:
    command = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_what_is_referred_to_is_there() -> None:
    """The schema does not look at names."""
    for service in SERVICES.values():
        for other, needed in service.get("depends_on", {}).items():
            assert needed["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[other]
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]


def test_the_python_services_share_the_image_that_one_of_them_builds() -> None:
    assert len({SERVICES[name]["image"] for name in PYTHON_SERVICES}) == 1
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["services"]


def test_nothing_is_reachable_from_another_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    ports = {"services": 8080, "flower": 5555, "metrics": 9808, "console": 5557}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in ports.items()}


def test_flower_starts_everywhere_as_the_docs_recommend() -> None:
    lines = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("celery -A tasks flower")]
    recommended = line.split()
    assert recommended[4:] == list(FLOWER_OPTIONS)
    assert SERVICES["flower"]["command"] == [*recommended, "--port=5555"]


def test_every_service_comes_back_and_every_image_is_pinned() -> None:
    for service in SERVICES.values():
        assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"redis:\d+\.\d+\S*", SERVICES["redis"]["image"])


def test_a_worker_that_is_stopped_has_the_time_to_end_any_attempt() -> None:
    tasks.app.loader.import_default_modules()
    ours = [task for name, task in tasks.app.tasks.items() if name.startswith("tasks.")]
    longest = max(task.time_limit or 0 for task in ours)
    assert longest > 0
    for worker in ("worker", "compensations"):
        assert int(SERVICES[worker]["stop_grace_period"].removesuffix("s")) >= longest


@pytest.mark.xdist_group("compose")
@pytest.mark.parametrize("service", PYTHON_SERVICES)
def test_the_command_of_a_service_runs_and_its_health_check_sees_it(
    containers: Containers, service: str
) -> None:
    eventually(lambda: containers.is_healthy(service))


@pytest.mark.xdist_group("compose")
def test_the_image_holds_enough_to_order_something(containers: Containers) -> None:
    eventually(lambda: containers.is_healthy("services"))
    ended = containers.run("worker", "python", "-c", ORDER)
    assert ended.stdout == "shipment_failed\n", ended.stderr


@pytest.mark.parametrize("service", ["services", "worker", "flower", "metrics", "console"])
def test_a_health_check_fails_where_nothing_runs(
    redis_url: str, service: str, tmp_path: Path
) -> None:
    for source, _ in copies(last_stage()):
        (tmp_path / source).symlink_to(ROOT / source)
    replacements = {
        "redis://redis:6379/0": f"{redis_url}/10",
        **dict.fromkeys(("8080", "5555", "9808", "5557"), str(free_port())),
        "/tmp/": f"{tmp_path}/",  # noqa: S108 - what is replaced
    }
    assert not Containers(app=tmp_path, replacements=replacements).is_healthy(service)


def test_redis_runs_with_its_flags_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    skip_without(find_redis)
    name, *flags = SERVICES["redis"]["command"]
    assert name == "redis-server"
    port = free_port()
    here = ["--port", str(port), "--bind", LOOPBACK, "--dir", str(tmp_path)]
    server = Program("redis", [str(find_redis()), *flags, *here], directory=tmp_path)
    with running(server), Redis(host=LOOPBACK, port=port, decode_responses=True) as client:
        eventually(lambda: redis_answers(f"redis://{LOOPBACK}:{port}"))
        settings = client.config_get("*")
        health_check_of_redis_says(port, healthy=True)
    health_check_of_redis_says(free_port(), healthy=False)
    assert {name: settings[name] for name in REDIS_SETTINGS} == REDIS_SETTINGS


def health_check_of_redis_says(port: int, *, healthy: bool) -> None:
    """Run the health check against this port, where there is a redis-cli."""
    client = shutil.which("redis-cli") or find_redis().with_name("redis-cli")
    kind, test = SERVICES["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert test.startswith("redis-cli ")
    if Path(client).exists():
        command = test.replace("redis-cli", f"'{client}' -p {port}", 1)
        ended = subprocess.run(["sh", "-c", command], capture_output=True, check=False)  # noqa: S607
        assert (ended.returncode == 0) is healthy


def test_all_that_is_copied_exists_and_nothing_else_is_sent_to_the_engine() -> None:
    sources = {source for source, _ in copies(dockerfile())}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    everything, *patterns = (
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert everything == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == sources


def test_the_image_is_pinned_and_not_run_by_root() -> None:
    bases = [words[1] for words in dockerfile() if words[0] == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    (user,) = [words[1] for words in last_stage() if words[0] == "USER"]
    assert user.partition(":")[0] not in ("root", "0")


def test_the_image_installs_pinned_packages_and_no_tools_of_ours() -> None:
    commands = [
        command
        for name, *words in dockerfile()
        if name == "RUN"
        for command in " ".join(words).split(" && ")
        if "pip install" in command
    ]
    assert commands
    assert all(re.search(r"(-c|--constraint) constraints\.txt\b", command) for command in commands)
    groups = {group for command in commands for group in re.findall(r"--group (\S+)", command)}
    assert groups == {"system"}


def test_flower_gets_its_login_from_the_environment_of_whoever_runs_it():
    """In a compose file a name without a value is passed through."""
    assert ("FLOWER_BASIC_AUTH", None) in SERVICES["flower"]["environment"].items()


@pytest.mark.xdist_group("compose")
def test_flower_takes_a_login_alone_and_tells_that_of_its_start(containers: Containers) -> None:
    eventually(lambda: containers.is_healthy("flower"))
    told = (containers.app.parent / "flower.log").read_text(encoding="utf-8")
    (password,) = re.findall(r"log in as amends with the password (\S+) ", told)
    base = containers.here("http://127.0.0.1:5555")
    revoke = f"{base}/api/task/revoke/order-1.1.validate_order"
    assert httpx.get(base).status_code == 401
    assert httpx.post(revoke).status_code == 401
    assert httpx.post(revoke, auth=("amends", "amends")).status_code == 401
    login = ("amends", password)
    assert httpx.get(base, auth=login, follow_redirects=True).status_code == 200
    assert httpx.post(revoke, auth=login).json()["message"].startswith("Revoked")
    # What a page of another site has a browser send, which knows the login.
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://example.com"}
    assert httpx.post(revoke, auth=login, headers=elsewhere).status_code == 403


@pytest.mark.parametrize("given", [["--basic-auth=ada:lovelace"], ["--basic_auth=ada:lovelace"]])
def test_a_login_of_the_command_line_is_flowers(given: list[str]) -> None:
    code = f"import sys; sys.argv[1:] = {given}; import flowerconfig; print(vars(flowerconfig).get('basic_auth'))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("None\n", "")


@pytest.mark.xdist_group("compose")
def test_the_metrics_are_those_of_its_log(containers: Containers) -> None:
    eventually(lambda: containers.is_healthy("metrics"))
    url = containers.here("http://127.0.0.1:9808/metrics")
    eventually(lambda: "amends_workers 2.0" in httpx.get(url, timeout=30).text)
