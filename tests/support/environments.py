"""Virtual environments that hold the wheel, what its metadata asks for, and nothing else."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement


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

    def ask(self, code: str, folder: Path) -> str:
        """Run some code in it, and return what it prints."""
        ended = subprocess.run(
            [self.python, "-c", code],
            cwd=folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


def install(wheel: Path, base: Path, *extras: str) -> Environment:
    """Install the wheel in an environment of its own, and lend it what its metadata asks for, with these extras."""
    environment = Environment(base=base)
    venv.create(environment.base, symlinks=True)
    run("-m", "pip", "--python", environment.python, "install", "--no-deps", "--no-index", wheel)
    (installed,) = distributions(name="amends", path=[str(environment.packages)])
    for needed in requirements_of(installed, extras):
        lend(needed, environment)
    return environment


def run(*arguments: str | Path) -> None:
    """Run this process's Python with these arguments, without a package index."""
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def requirements_of(installed: Distribution, extras: tuple[str, ...]) -> Iterator[Distribution]:
    """Yield every distribution that this one needs, directly or not, as the metadata says."""
    todo = [each for extra in ("", *extras) for each in applying(installed, extra=extra)]
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
