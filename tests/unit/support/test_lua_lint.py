"""The linter of the Lua files."""

import pytest

from tests.support.lua_lint import lint

PART = "--! include base\nlocal function twice(n) return base(n) * 2 end\n"
BASE = "local function base(n) return n end\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("return unheard(1)", "it:1: unknown name unheard"),
        ("local a = 1\nreturn 2", "it:1: unused local a"),
        ("local function f() return 1 end\nreturn 2", "it:1: unused local f"),
        ("for k, v in pairs(KEYS) do redis.call('DEL', v) end", "it:1: unused local k"),
        ("count = 1", "it:1: assignment to the global count"),
        ("function f() end", "it:1: a function is no local"),
        ("local n = 1\nfor _, n in ipairs(KEYS) do redis.call('DEL', n) end\nreturn n", "hides"),
        ("local t = {k = 1}\nreturn t[k]", "it:2: unknown name k"),
    ],
)
def test_it_finds(text, wrong):
    (found,) = lint({"it": text})
    assert wrong in found


@pytest.mark.parametrize(
    "text",
    [
        "for _, each in ipairs(KEYS) do redis.call('DEL', each) end",
        "local t = {k = 1}\nreturn t.k",
        "local text = ''\nreturn text:sub(1)",
        "--! constant SOONER\nreturn SOONER",
        "local function f(unused, n) return n end\nreturn f(1, 2)",
        "local n\nlocal function set() n = 1 end\nset()\nreturn n",
    ],
)
def test_it_lets_pass(text):
    assert list(lint({"it": text})) == []


def test_a_local_of_an_included_file_is_known_and_used_there():
    assert list(lint({"base": BASE, "part": PART, "it": "--! include part\nreturn twice(1)"})) == []


def test_what_is_not_included_is_unknown():
    assert list(lint({"base": BASE, "it": "return base(1)"})) == [
        "base:1: unused local base",
        "it:1: unknown name base",
    ]
