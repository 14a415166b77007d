"""The plan of `amends/`: its rooms, their sizes, and the private names of other libraries.

Which way imports point is left to import-linter (`make lint`), whose contract for `amends` is exhaustive.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("amends", "amends_commands", "amends_pytest")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})

ROOMS = {
    *("errors", "definition", "backend", "breaker", "log", "dispatch", "telemetry", "activities"),
    *("saga", "scheduling", "diagnosis", "worker", "testing", "cli", "http", "barrier"),
    *("outbox", "django", "asynchronous", "traces", "fastapi", "console", "archive", "operations"),
}
MOST_MODULES = 25
MOST_LINES = 250

LIBRARIES = {"celery", "kombu", "billiard", "redis"}
# Where a private name of theirs may be used. `activities/inline` is a module or a folder.
PRIVATE_ROOMS = (
    "dispatch/fast_path/",
    "backend/connection.py",
    "breaker/connection.py",
    "worker/unacked.py",
    "worker/shutdown.py",
    "activities/inline",
    "backend/celery_apps.py",
)
# Outside of those rooms: what is set of a request is public in Celery, and the clock is of a rehearsal alone.
PRIVATE_STRAYS = {
    "dispatch/messages.py",
    "testing/clock.py",
}
# Assignments to objects that are of none of these four: click's, Django's, ctypes', and fakeredis' in tests of a user.
OTHERS = {
    ("cli/command.py", ".color ="),
    ("cli/command.py", ".params ="),
    ("django/admin.py", ".current_app ="),
    ("log/owner.py", ".value ="),
    ("testing/clock.py", ".time ="),
}
INTERNALS = (ROOT / "docs" / "internals.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w/]+\.py)` \| `([^`|]+)` \|(.*)\|$", flags=re.MULTILINE)


def inside(path: Path) -> str:
    """Name a file of the engine as the lists here do."""
    return path.relative_to(ROOT).as_posix().removeprefix("amends/")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined(tree: ast.Module) -> set[str]:
    """Return the names that a module gives to its own: functions, classes, their attributes."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found |= {name, *assigned(body)}
    return found | set(assigned(tree.body))


def inherited(tree: ast.Module) -> set[str]:
    """Return the names that a module's classes have from base classes of the engine."""
    bases = {
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    found = set()
    for node in tree.body:
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("amends."):
                if bases & {each.name for each in names}:
                    file = ROOT / f"{module.replace('.', '/')}.py"
                    found |= defined(ast.parse(file.read_text(encoding="utf-8")))
    return found


def assigned(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                yield name


def private_names(text: str) -> set[str]:
    """Return what a module uses of other libraries' insides.

    `<module>._name` is an import, `._name` an attribute, and `.name =` an assignment to an attribute of an object that
    is not the module's own.
    """
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    own = defined(tree) | inherited(tree)
    return {*imports(nodes), *accesses(nodes, own), *assignments(nodes, own)}


def imports(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                dotted = [each.name for each in names]
            case ast.ImportFrom(module=str(module), names=names):
                dotted = [f"{module}.{each.name}" for each in names]
            case _:
                continue
        for each in dotted:
            library, *rest = each.split(".")
            if library in LIBRARIES and any(map(is_private, rest)):
                yield each


def accesses(nodes: list[ast.AST], own: set[str]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Attribute(value=value, attr=name):
                is_own = name in own and ast.unparse(value) != "super()"
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr" | "delattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                is_own = name in own
            case _:
                continue
        if is_private(name) and not is_own:
            yield f".{name}"


def assignments(nodes: list[ast.AST], own: set[str]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Attribute(value=value, attr=name, ctx=ast.Store() | ast.Del()) if ast.unparse(
                value
            ) not in {"self", "cls"}:
                pass
            case ast.Call(
                func=ast.Name(id="setattr" | "delattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                pass
            case _:
                continue
        is_ours = name in own or name.startswith(
            "amends_"
        )  # an attribute of our own on their object
        if not is_ours and (name == "__class__" or not name.startswith("_")):
            yield f".{name} ="


USED = {
    (inside(path), name)
    for path in MODULES
    for name in private_names(path.read_text(encoding="utf-8"))
} - OTHERS


def test_the_engine_has_these_rooms():
    found = {
        path.stem
        for path in (ROOT / "amends").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - {"__init__"} == ROOMS


@pytest.mark.parametrize("folder", FOLDERS, ids=inside)
def test_a_package_has_few_modules(folder):
    assert len(list(folder.glob("*.py"))) <= MOST_MODULES


@pytest.mark.parametrize(
    ("pattern", "rooms"),
    [
        (r"redis\.call\(", ("log/lua/", "breaker/lua/", "barrier/lua/")),
        (r"\bINSERT INTO\b", ("barrier/statements.py", "outbox/statements.py")),
        (r"^from celery import .*\bchain\b", ("dispatch/",)),
        (r"\bRedis\.from_url\(", ("backend/",)),
        (r"\bprometheus_client\b", ("telemetry/prometheus/",)),
        (r"^(import|from) click\b", ("cli/", "amends_commands/")),
        (r"^class \w+Error\b", ("errors.py",)),
    ],
)
def test_a_subject_is_found_in_its_rooms_alone(pattern, rooms):
    files = [*MODULES, *(ROOT / "amends").rglob("*.lua")]
    found = {
        inside(path)
        for path in files
        if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found
    assert {path for path in found if not path.startswith(rooms)} == set()


def test_files_are_short():
    long = {
        inside(path)
        for path in MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }
    assert long == set()


def test_private_names_stay_in_their_rooms_but_for_those_that_are_still_to_move():
    assert {path for path, _ in USED if not path.startswith(PRIVATE_ROOMS)} == PRIVATE_STRAYS


def test_each_private_name_is_listed_and_each_listed_one_is_used():
    assert {(path, name) for path, name, _ in ROW.findall(INTERNALS)} == USED


def test_each_row_says_library_version_reason_and_fallback():
    for path, name, rest in ROW.findall(INTERNALS):
        cells = [cell.strip() for cell in rest.split("|")]
        assert len(cells) == 4, (path, name)
        assert all(cells), (path, name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import celery._state", {"celery._state"}),
        ("from celery import _state", {"celery._state"}),
        ("from celery._state import current_app", {"celery._state.current_app"}),
        ("from kombu import Producer", set()),
        ("from amends.log import _x", set()),
        ("channel._expires", {"._expires"}),
        ("class Own(Base):\n def _connect(self): super()._connect()", {"._connect"}),
        ("getattr(channel, '_put', None)", {"._put"}),
        ("channel._put = 1", {"._put"}),
        ("def f(task):\n chain = 1\n task.request.chain = chain", {".chain ="}),
        ("qos.__class__ = Own", {".__class__ ="}),
        ("task.request.chain = None", {".chain ="}),
        ("setattr(channel, 'closed', True)", {".closed ="}),
        ("del pool.limit", {".limit ="}),
        ("worker.amends_health = 1", set()),
        ("class Own(QoS):\n _delivered: Any\n def f(self): self._delivered", {"._delivered"}),
        ("class Own:\n def f(self, other): self._x = other._x", set()),
        ("class Own:\n _x: int = 0\nOwn()._x = 1", set()),
        ("run.__doc__ = 'text'", set()),
    ],
)
def test_a_private_name_is_found(text, found):
    assert set(private_names(text)) == found
