"""With one countermeasure taken out, the explorer finds what it is for."""

from dataclasses import replace

import pytest
from plots import PLOTS
from receiver import Ledger
from strikes import KINDS

from amends.activities.attempt import Attempt
from amends.activities.task import ActivityTask
from amends.lua import DIGESTS, SCRIPTS

PLOT = {plot.name: plot for plot in PLOTS}
KIND = {kind.name: kind for kind in KINDS}
SCRIPTED = {
    "the token check": (
        "state[code] == 'running' and get(code, 't') == token",
        "state[code] == 'running'",
        "forward",
        "frozen until overtaken",
        "had no claim, and landed",
    ),
    "the due entry": (
        "redis.call('ZADD', DUE, ",
        "redis.call('EXISTS', DUE, ",
        "forward",
        "killed",
        "not at rest",
    ),
    "the due entry of a start": (
        "set_due(NOW + LEASE)\nreturn {'started'",
        "return {'started'",
        "forward",
        "killed",
        "pending and not at rest",
    ),
    "the due entry of what is swept": (
        "redis.call('ZADD', KEYS[1], now + ARGV[1], id)",
        "redis.call('ZREM', KEYS[1], id)",
        "died before the effect",
        "killed",
        "not at rest",
    ),
    "the record per channel": (
        "if step.has_fallback then codes[1] = i .. 'fu' end",
        "",
        "back over a switch",
        "killed",
        "compensated, and ['b:fallback'] is in force",
    ),
    "the void": (
        "if state[code] == 'unknown' then set_state(code .. 'u', 'pending') end",
        "",
        "switch after a void",
        "killed",
        "s:b:fallback took effect while s:b was in force",
    ),
    "the unknown outcome": (
        "if unknown then redis.call('HSET', SAGA, code .. '.u', 1) end",
        "",
        "refused at the second try",
        "killed",
        "compensated, and ['b'] is in force",
    ),
    "the wait for what still runs": (
        "if running_record() or #remaining() > 0 then",
        "if #remaining() > 0 then",
        "forward",
        "cancelled",
        "compensated, and ['a'] is in force",
    ),
    "the order of the claims": (
        "if first ~= code then return",
        "if not first then return",
        "last step refused",
        "cancelled",
        "a step started after the saga had turned",
    ),
    "the check of retries": (
        "if retries < tonumber(get(code, 'r') or 0) then return",
        "if false then return",
        "retries on both ways",
        "killed, message returns",
        "was claimed before its wait was over",
    ),
    "the claim repeated under its token": (
        "if current == token then return run(code) end",
        "",
        "forward",
        "one call fails",
        "was claimed, and claimed again in vain",
    ),
    "the finish repeated under its token": (
        "if state[code] == 'done' and get(code, 't') == token then return continuation(link) end",
        "",
        "forward",
        "one call fails",
        "had the claim, and was late",
    ),
}


@pytest.fixture
def told(explorer):
    """Tell a plot undisturbed, for its points, before anything is taken out."""

    def tell(plot, kind):
        story = replace(PLOT[plot], is_whole=True), KIND[kind]
        explorer.points(*story)
        return story

    return tell


def assert_found(explorer, story, what):
    assert any(what in found for found in explorer.explore(*story))


@pytest.mark.parametrize("countermeasure", SCRIPTED)
def test_without_a_line_of_the_scripts_a_saga_goes_wrong(
    explorer, told, monkeypatch, countermeasure
):
    line, instead, plot, kind, what = SCRIPTED[countermeasure]
    having = {name: text for name, text in SCRIPTS.items() if line in text}
    assert having, f"no script has {line!r} any more: take out what has come in its place"
    story = told(plot, kind)
    for name, text in having.items():
        digest = explorer.client.script_load(text.replace(line, instead))
        monkeypatch.setitem(DIGESTS, name, digest)
    assert_found(explorer, story, what)


def test_without_tombstones_an_effect_comes_after_its_undo(explorer, told, monkeypatch):
    story, undo = told("last step refused", "frozen to the end"), Ledger.undo

    def forget(self, key):
        undo(self, key)
        self.tombstones.clear()

    monkeypatch.setattr(Ledger, "undo", forget)
    assert_found(explorer, story, "compensated, and ['a'] is in force")


def test_without_a_key_for_each_channel_one_answers_for_the_other(explorer, told, monkeypatch):
    story, context = told("switch after not done", "killed"), Attempt._context

    def share(self):
        found = context(self)
        return replace(found, idempotency_key=found.idempotency_key.replace(":fallback", ""))

    monkeypatch.setattr(Attempt, "_context", share)
    assert_found(explorer, story, "completed: ['b:fallback'] is done, and ['b'] in force")


def test_without_the_tokens_of_claims_not_answered_their_owners_seem_dead(
    explorer, told, monkeypatch
):
    story = told("forward", "cut off")
    monkeypatch.setattr(ActivityTask, "_brought", lambda _: "")
    assert_found(explorer, story, "was taken over from an owner who lived")
