"""One Lua file per atomic transition, by its name, from the rooms that call them.

A file that says ``--! include saga`` gets that file's text, and what it includes, put before its own.
One that includes ``transition`` is a transition of a saga: it writes at its end, and answers its events too, as
``transition.lua`` says.
One that says ``--! for each saga`` is run for many sagas of a shard in one call, and reads as if for one.
Its KEYS are the two of each saga, then the shard's; its ARGV is how many sagas, how many arguments are a
saga's own, those of each, then those that all share. It answers a list.
Functions of the parts that a script does not call are left out of it: Redis makes each anew whenever it runs.
"""

import hashlib
import re
from importlib.resources import files
from typing import Final

_INCLUDE: Final = "--! include "
_FUNCTION: Final = re.compile(
    r"^local function (\w+)\((?:.*\bend$|.*\n(?:(?!end$).*\n)*end$)", re.MULTILINE
)
_COMMENT: Final = re.compile(r"--.*")
_WORD: Final = re.compile(r"\w+")
_TRANSITION: Final = """
local function transition()
{}
end
local answer = transition()
save()
return {{answer, {{saga.name or '', was or '', saga.status or '', saga.created or 0}}, unpack(EVENTS)}}
"""
_FOR_EACH: Final = "--! for each saga"
_EACH: Final = """
local function for_one(KEYS, ARGV)
{}
end
local answers, sagas, own = {{}}, tonumber(ARGV[1]), tonumber(ARGV[2])
for k = 1, sagas do
  local keys, arguments = {{KEYS[2 * k - 1], KEYS[2 * k]}}, {{}}
  for n = 2 * sagas + 1, #KEYS do keys[#keys + 1] = KEYS[n] end
  for n = 3 + own * (k - 1), 2 + own * k do arguments[#arguments + 1] = ARGV[n] end
  for n = 3 + own * sagas, #ARGV do arguments[#arguments + 1] = ARGV[n] end
  answers[k] = for_one(keys, arguments)
end
return answers
"""


def _load() -> tuple[dict[str, str], frozenset[str]]:
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for room in ("amends.log", "amends.breaker")
        for file in (files(room) / "lua").iterdir()
        if file.name.endswith(".lua")
    }

    def included(name: str) -> list[str]:
        """Name what comes before a text, in order."""
        lines = [line for line in texts[name].splitlines() if line.startswith(_INCLUDE)]
        named = [line.removeprefix(_INCLUDE).strip() for line in lines]
        return [each for one in named for each in (*included(one), one)]

    parts = {each for name in texts for each in included(name)}
    transitions = frozenset(name for name in texts.keys() - parts if "transition" in included(name))

    def whole(name: str) -> str:
        body = _TRANSITION.format(texts[name]) if name in transitions else texts[name]
        text = _without_unused([texts[each] for each in included(name)], body)
        return _EACH.format(text) if _FOR_EACH in texts[name].splitlines() else text

    return {name: whole(name) for name in texts if name not in parts}, transitions


def _without_unused(parts: list[str], body: str) -> str:
    """Join parts and what they are put before, without the functions that nothing after them calls."""
    text = "\n".join(parts)
    called = _words(body + _FUNCTION.sub("", text))
    for function in reversed(list(_FUNCTION.finditer(text))):
        if function[1] in called:
            called |= _words(function[0])
        else:
            text = text[: function.start()] + text[function.end() :]
    return f"{text}\n{body}"


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))


SCRIPTS, TRANSITIONS = _load()

DIGESTS: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    for name, text in SCRIPTS.items()
}
"""What Redis calls each script."""
