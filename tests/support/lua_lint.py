"""A linter for the Lua files of the engine: ``python -m tests.support.lua_lint``, which `make lint` runs.

It finds names that neither a file nor what it includes defines, assignments to globals, locals that nobody uses, and a
local that hides another one. A local of an included file may be used by any file that includes it.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luaparser import ast
from luaparser.astnodes import (
    AnonymousFunction,
    Assign,
    Block,
    ElseIf,
    Field,
    Forin,
    Fornum,
    Function,
    If,
    Index,
    IndexNotation,
    Invoke,
    LocalAssign,
    LocalFunction,
    Method,
    Name,
    Node,
    Repeat,
)

from amends.backend.scripts import PLAIN, of_kind

ROOT = Path(__file__).parent.parent.parent
INCLUDE = re.compile(r"^--! include (\w+)$", re.MULTILINE)
ROOMS = ("amends/log/lua", "amends/breaker/lua", "amends/barrier/lua")
GLOBALS = frozenset(
    {"ARGV", "KEYS", "redis", "math", "table", "string", "ipairs", "pairs", "tonumber", "type"}
    | {"tostring", "unpack", "select", "next"}
    | {"effect"}  # the user's, around which the barrier's scripts stand
)
OF_THE_LOADER = frozenset({"save", "saga", "was", "names", "EVENTS"})
"""What the loader's frame around a transition uses."""
_INCLUDE = "--! include "
_CONSTANT = "--! constant "


@dataclass
class Local:
    """A local name, where it is defined, and whether it is used."""

    name: str
    line: int
    is_used: bool = False


@dataclass
class LuaFile:
    """A Lua file, what it asks the loader for, and what is found in it."""

    name: str
    text: str
    top: dict[str, Local] = field(default_factory=dict)
    wrongs: list[tuple[int, str]] = field(default_factory=list)

    @property
    def includes(self) -> list[str]:
        return self._asked_for(_INCLUDE)

    @property
    def constants(self) -> list[str]:
        return self._asked_for(_CONSTANT)

    def _asked_for(self, what: str) -> list[str]:
        lines = self.text.splitlines()
        return [line.removeprefix(what).strip() for line in lines if line.startswith(what)]


class _Scopes:
    """Walks through one file. `outer` are the locals of what it includes."""

    def __init__(self, file: LuaFile, outer: Mapping[str, Local]) -> None:
        self._file = file
        self._outer = outer
        self._scopes: list[dict[str, Local]] = [file.top]
        self._line = 1  # of the last node that has one: some have none

    def walk(self, node: Any) -> None:
        """Visit a node, or each of a list."""
        if isinstance(node, list):
            for each in node:
                self.walk(each)
        elif isinstance(node, Node):
            self._line = node.line or self._line
            self._visit(node)

    def _visit(self, node: Node) -> None:  # noqa: C901, PLR0912 - one case for each kind of scope
        match node:
            case Name():
                self._use(node)
            case LocalAssign(targets=targets, values=values):
                self.walk(values)
                self._define(targets)
            case LocalFunction(name=name, args=arguments, body=body):
                self._define([name])
                self._inside(arguments, body)
            case AnonymousFunction(args=arguments, body=body):
                self._inside(arguments, body)
            case Function() | Method():
                self._tell("a function is no local")
            case Forin(targets=targets, iter=iterated, body=body):
                self.walk(iterated)
                self._inside(targets, body, are_checked=True)
            case Fornum(target=target, start=start, stop=stop, step=step, body=body):
                self.walk([start, stop, step])
                self._inside([target], body, are_checked=True)
            case Repeat(body=body, test=test):
                self._inside([], body, then=test)
            case (
                If(test=test, body=body, orelse=orelse)
                | ElseIf(test=test, body=body, orelse=orelse)
            ):
                self.walk(test)
                self.walk(body)
                self.walk(orelse)
            case Block(body=body):
                self._inside([], body)
            case Assign(targets=targets, values=values):
                self.walk(values)
                for target in targets:
                    self._assign(target)
            case Index(idx=index, value=value, notation=notation):
                self.walk(value)
                if notation is not IndexNotation.DOT:
                    self.walk(index)
            case Invoke(source=source, args=arguments):
                self.walk(source)
                self.walk(arguments)
            case Field(key=key, value=value, between_brackets=brackets):
                self.walk(value)
                if brackets:
                    self.walk(key)
            case _:
                for each in vars(node).values():
                    self.walk(each)

    def _inside(
        self, names: list[Name], body: Any, *, are_checked: bool = False, then: Any = None
    ) -> None:
        self._scopes.append({})
        self._define([name for name in names if isinstance(name, Name)])
        if not are_checked:  # a parameter may be there for its place
            for local in self._scopes[-1].values():
                local.is_used = True
        self.walk(body.body if isinstance(body, Block) else body)
        self.walk(then)
        for local in self._scopes.pop().values():
            if not local.is_used:
                self._file.wrongs.append((local.line, f"unused local {local.name}"))

    def _define(self, names: list[Name]) -> None:
        for name in names:
            if name.id == "_":
                continue
            if self._find(name.id):
                self._tell(f"local {name.id} hides another one")
            self._scopes[-1][name.id] = Local(name.id, self._line)

    def _use(self, name: Name) -> None:
        local = self._find(name.id)
        if local:
            local.is_used = True
        elif name.id not in GLOBALS:
            self._tell(f"unknown name {name.id}")

    def _assign(self, target: Node) -> None:
        if not isinstance(target, Name):
            self.walk(target)
        elif not self._find(target.id):
            self._tell(f"assignment to the global {target.id}")

    def _find(self, name: str) -> Local | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._outer.get(name)

    def _tell(self, wrong: str) -> None:
        self._file.wrongs.append((self._line, wrong))


def lint(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with these files, by name."""
    files = {name: LuaFile(name, text) for name, text in texts.items()}
    done: dict[str, dict[str, Local]] = {}

    def visible(name: str) -> dict[str, Local]:
        """Return the locals of a file and of what it includes, once that is looked through."""
        if name not in done:
            file, outer = files[name], {}
            for each in file.includes:
                outer |= visible(each)
            file.top |= {each: Local(each, 1) for each in file.constants}
            _Scopes(file, outer).walk(ast.parse(file.text).body.body)
            done[name] = outer | file.top
        return done[name]

    for name in files:
        visible(name)
    for file in files.values():
        unused = [each for each in file.top.values() if not each.is_used]
        file.wrongs += [
            (each.line, f"unused local {each.name}")
            for each in unused
            if each.name not in OF_THE_LOADER
        ]
        yield from (f"{file.name}:{line}: {wrong}" for line, wrong in sorted(file.wrongs))


def _of_kind(paths: Sequence[Path], kind: str) -> dict[str, str]:
    """Read files as scripts of a kind have them: all, or those that plain scripts are made of."""
    texts = {path.stem: of_kind(path.read_text(encoding="utf-8"), kind) for path in paths}
    names = list(texts if kind == "shaped" else PLAIN)
    for name in names:  # which grows
        names += [each for each in INCLUDE.findall(texts.get(name, "")) if each not in names]
    return {name: texts[name] for name in names if name in texts}


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).glob("*.lua"))]
    wrongs = [
        wrong
        for room in ROOMS
        for kind in ("shaped", "plain")
        for wrong in lint(_of_kind([p for p in paths if p.parent == ROOT / room], kind))
    ]
    sys.stdout.write("".join(f"{wrong}\n" for wrong in wrongs))
    return bool(wrongs)


if __name__ == "__main__":
    sys.exit(main())
