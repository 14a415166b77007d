"""One Lua file per atomic transition, by its name, from the rooms that call them.

A script is the text of its file after the texts that the file asks for, each once. A file says:

* ``--! include saga``: that file's text comes before, and what that one includes.
* ``--! constant SOONER``: here stands a local of that name, see `script_constants`.
* ``--! shaped``, ``--! plain`` and ``--! end``: what stands after one, up to the next, is for that kind of script alone; at
  the end of a line, that line. A plain
  script (``claim_step_plain``) is for sagas of single steps in a row, without conditions and the like: Redis makes each
  function of a script anew whenever it runs, and those for stages would cost these sagas a third more.
* ``--! for each saga``: run for many sagas of a shard in one call, it reads as if for one. Its KEYS are the two of each
  saga, then the shard's; its ARGV is how many sagas, how many arguments are a saga's own, those of each, then those that
  all share. It reads `OWN` of its own, those that all share, then what is left of its own. It answers a list.

A script that includes ``transition`` is a transition of a saga: it writes at its end, and answers its events too, as
``transition.lua`` says.

``python -m amends.backend.print_script claim_step`` prints one as Redis gets it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Final

from amends.backend.script_constants import lua_local

OWN: Final = 4
"""Arguments of its own that a ``for each saga`` script reads of a saga before those that all share."""

_INCLUDE: Final = "--! include "
_CONSTANT: Final = "--! constant "
_FOR_EACH: Final = "--! for each saga"
_SUFFIX: Final = "_plain"
_OF_LINE: Final = "  --! "  # what a line ends with that is of one kind
_KINDS: Final = {"--! shaped": "shaped", "--! plain": "plain", "--! end": ""}
PLAIN: Final = ("claim_step", "complete_step", "complete_and_claim", "fail_step", "retry_step")
"""The scripts that there is a plain one of: those that a saga of single steps runs again and again."""
_TRANSITION: Final = """
local function transition()
{}
end
local answer = transition()
save()
return {{answer, {{saga.name or '', was or '', saga.status or '', saga.created or 0, names or '', saga.parent or saga.trace and '' or nil, saga.trace or nil}}, unpack(EVENTS)}}
"""
_EACH: Final = """
local function for_one(KEYS, ARGV)
{text}
end
local answers, sagas, own = {{}}, tonumber(ARGV[1]), tonumber(ARGV[2])
for k = 1, sagas do
  local keys, arguments = {{KEYS[2 * k - 1], KEYS[2 * k]}}, {{}}
  for n = 2 * sagas + 1, #KEYS do keys[#keys + 1] = KEYS[n] end
  local first = 3 + own * (k - 1)
  for n = first, first + {own} - 1 do arguments[#arguments + 1] = ARGV[n] end
  for n = 3 + own * sagas, #ARGV do arguments[#arguments + 1] = ARGV[n] end
  for n = first + {own}, first + own - 1 do arguments[#arguments + 1] = ARGV[n] end
  answers[k] = for_one(keys, arguments)
end
return answers
"""


def _read_files() -> dict[str, str]:
    return {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for room in ("amends.log", "amends.breaker")
        for file in (files(room) / "lua").iterdir()
        if file.name.endswith(".lua")
    }


def plain(name: str) -> str:
    """Name the plain script of a script."""
    return name + _SUFFIX


def of_any_kind(name: str) -> str:
    """Name a script that there is a plain one of, by either."""
    return name.removesuffix(_SUFFIX)


def of_kind(text: str, kind: str) -> str:
    """Return the lines of a file that are for all scripts, or for this kind of them. Raises ``KeyError`` for an unknown mark."""
    lines, at = [], ""
    for line in text.splitlines(keepends=True):
        told = _KINDS.get(line.rstrip())
        code, mark, of_line = line.rstrip().rpartition(_OF_LINE)
        if told is not None:
            at = told
        elif at in ("", kind) and (not mark or _KINDS[f"--! {of_line}"] == kind):
            lines.append(f"{code}\n" if mark else line)
    return "".join(lines)


def _asked_for(text: str, what: str) -> list[str]:
    return [line.removeprefix(what).strip() for line in text.splitlines() if line.startswith(what)]


def _included(texts: Mapping[str, str], name: str) -> Iterator[str]:
    """Name all that comes before a file's text, in order; one that several ask for comes again."""
    for each in _asked_for(texts[name], _INCLUDE):
        yield from _included(texts, each)
        yield each


def _with_constants(text: str) -> str:
    for name in _asked_for(text, _CONSTANT):
        text = text.replace(f"{_CONSTANT}{name}\n", f"{lua_local(name)}\n")
    return text


def _script(texts: Mapping[str, str], name: str) -> str:
    parts = list(dict.fromkeys(_included(texts, name)))
    body = _TRANSITION.format(texts[name]) if "transition" in parts else texts[name]
    text = _with_constants("\n".join([*(texts[part] for part in parts), body]))
    return _EACH.format(text=text, own=OWN) if _asked_for(texts[name], _FOR_EACH) else text


_TEXTS: Final = _read_files()
_FILES: Final = {name: of_kind(text, "shaped") for name, text in _TEXTS.items()}
_PLAIN_FILES: Final = {name: of_kind(text, "plain") for name, text in _TEXTS.items()}
_PARTS: Final = {each for name in _FILES for each in _included(_FILES, name)}

SCRIPTS: Final = {
    **{name: _script(_FILES, name) for name in _FILES.keys() - _PARTS},
    **{plain(name): _script(_PLAIN_FILES, name) for name in PLAIN},
}
"""Each script's text by its name."""

TRANSITIONS: Final = frozenset(
    name for name in SCRIPTS if "transition" in _included(_FILES, of_any_kind(name))
)
"""The scripts that are transitions of a saga."""

DIGESTS: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    for name, text in SCRIPTS.items()
}
"""What Redis calls each script."""
