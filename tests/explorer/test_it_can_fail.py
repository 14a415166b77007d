"""With one countermeasure taken out, the explorer finds what it is for."""

from dataclasses import replace
from itertools import count

import pytest

from amends.activities import step_at_hand, task
from amends.activities.attempt import Attempt
from amends.backend.scripts import DIGESTS, SCRIPTS
from amends.dispatch import canvas
from amends.log.answers import Claim
from amends.log.owner import Owner
from amends.log.saga_log import SagaLog
from tests.explorer.crash_points import KINDS
from tests.explorer.plots import PLOTS
from tests.explorer.receiver import Ledger

PLOT = {plot.name: plot for plot in PLOTS}
KIND = {kind.name: kind for kind in KINDS}
# What is taken out of the scripts, in which ways from step to step, in which plot, kind; what is found.
SCRIPTED = {
    "the token check": (
        {"running.code == code and running.token == token": "running.code == code"},
        ["chain", "inline"],
        "forward",
        "frozen until overtaken",
        "had no claim, and landed",
    ),
    "the due entry": (
        {"redis.call('ZADD', DUE, ": "redis.call('EXISTS', DUE, "},
        ["chain", "inline"],
        "forward",
        "killed",
        "not at rest",
    ),
    "the due entry of a start": (
        {"set_due(NOW + LEASE)\nreturn deliver": "return deliver"},
        ["chain", "inline"],
        "forward",
        "killed",
        "pending and not at rest",
    ),
    "the due entry of what is swept": (
        {
            "redis.call('ZADD', KEYS[1], ('%d'):format(base + now + ARGV[1]), id)": "redis.call('ZREM', KEYS[1], id)"
        },
        ["chain", "inline"],
        "died before the effect",
        "killed",
        "not at rest",
    ),
    "the record per channel": (
        {
            f"if {condition} then list[#list + 1] = code end": "if code:find('^%d+u$') then list[#list + 1] = code end"
            for condition in (
                "is_undo(code)",
                "is_undo(code) or is_verification(code) or state[code] == 'waiting'",
            )
        },
        ["chain", "inline"],
        "back over a switch",
        "killed",
        "compensated, and ['b:fallback'] is in force",
    ),
    "the void": (
        {"if state[code] == 'unknown' then set_state(code .. 'u', 'pending') end": ""},
        ["chain", "inline"],
        "switch after a void",
        "killed",
        "s:b:fallback took effect while s:b was in force",
    ),
    "the unknown outcome": (
        {"if unknown then set(code .. '.u', 1) end": ""},
        ["chain", "inline"],
        "refused at the second try",
        "killed",
        "compensated, and ['b'] is in force",
    ),
    "the wait for what still runs": (
        {"if running or #remaining(1) > 0 then": "if #remaining(1) > 0 then"},
        ["chain", "inline"],
        "forward",
        "cancelled",
        "compensated, and ['a'] is in force",
    ),
    "the order of the claims": (
        {"if first ~= code then return": "if not first then return"},
        ["chain"],
        "last step refused",
        "cancelled",
        "a step started after the saga had turned",
    ),
    "the check of retries": (
        {"if claim.retries < tries then return": "if false then return"},
        ["chain", "inline"],
        "retries on both ways",
        "killed, message returns",
        "was claimed before its wait was over",
    ),
    "the claim repeated under its token": (
        {"if running.token == claim.token then return run(code, claim.known) end": ""},
        ["chain", "inline"],
        "forward",
        "one call fails",
        "was claimed, and claimed again in vain",
    ),
    "the finish repeated under its token": (
        {"if is_over_with and get(code .. '.t') == token then return nil, true end": ""},
        ["chain", "inline"],
        "forward",
        "one call fails",
        "had the claim, and was late",
    ),
    "the finish repeated under its token claiming what it claimed": (
        {
            "then return run(following, known) end": "then return continuation(link) end",
        },
        ["inline"],
        "forward",
        "one call fails",
        "was claimed, and claimed again in vain",
    ),
    "the stop of a paused saga": (
        {
            "if saga.paused then return {'end', 'paused'} end": "",
            "if saga.paused then return {'stop', 'the saga is paused'} end": "",
        },
        ["inline"],
        "paused and resumed",
        "killed",
        "was claimed while the saga was paused",
    ),
    "the stop of one that has turned": (
        {
            "if first and first == record_of(link) then return {'go'} end": "if link ~= '' then return {'go'} end",
            "if first ~= code then return": "if not first then return",
        },
        ["inline"],
        "last step refused",
        "cancelled",
        "a step started after the saga had turned",
    ),
    "the join's count of branches that are open": (
        {"if open == 0 then return stage, 'done' end": "do return stage, 'done' end"},
        ["chain", "inline"],
        "stages, forward",
        "killed",
        "is done, and",
    ),
    "the settling of a stage in which the saga turns": (
        {"if is_a_stage and value == 'running' then settling = code end": ""},
        ["chain", "inline"],
        "stages, last branch refused",
        "killed",
        "compensating and not at rest",
    ),
    "the point of no return": (
        {"elseif may_continue ~= 'c' and passed_pivot() then": "elseif false then"},
        ["chain", "inline"],
        "stages, refused past the pivot",
        "killed",
        "compensated, and ['f'] is in force",
    ),
    "the question before the next attempt": (
        {"return plan:find('|' .. code:match('%w+$') .. 'v:', 1, true) ~= nil": "return false"},
        ["chain", "inline"],
        "stages, effect found",
        "killed",
        "s:c was tried again, and in force",
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


@pytest.mark.parametrize(
    ("countermeasure", "dispatch"),
    [(name, dispatch) for name, (_, dispatches, *_) in SCRIPTED.items() for dispatch in dispatches],
)
def test_without_a_line_of_the_scripts_a_saga_goes_wrong(
    explorer, told, monkeypatch, countermeasure, dispatch
):
    lines, _, plot, kind, what = SCRIPTED[countermeasure]
    texts = dict(SCRIPTS)
    for line, instead in lines.items():
        having = [name for name, text in texts.items() if line in text]
        assert having, f"no script has {line!r} any more: take out what has come in its place"
        texts |= {name: texts[name].replace(line, instead) for name in having}
    story = told(f"{plot}, inline" if dispatch == "inline" else plot, kind)
    for name in [name for name, text in texts.items() if text != SCRIPTS[name]]:
        monkeypatch.setitem(DIGESTS, name, explorer.client.script_load(texts[name]))
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
    monkeypatch.setattr(task, "TOKEN_HEADER", "unread")
    assert_found(explorer, story, "was taken over from an owner who lived")


def test_without_one_token_for_all_tries_to_finish_the_next_step_has_no_owner(
    explorer, told, monkeypatch
):
    story, complete = told("forward, inline", "one call fails"), SagaLog.complete_and_claim
    tries = count()

    def claim_anew(self, *names, claim, **options):
        claim = replace(claim, token=f"{claim.token}{next(tries)}")
        return complete(self, *names, claim=claim, **options)

    monkeypatch.setattr(SagaLog, "complete_and_claim", claim_anew)
    assert_found(explorer, story, "was taken over from an owner who lived")


def test_without_the_token_of_a_claim_for_what_follows_its_owner_seems_dead(
    explorer, told, monkeypatch
):
    story = told("stages, forward, inline", "one call fails")
    monkeypatch.setattr(canvas, "TOKEN_HEADER", "unread")
    assert_found(explorer, story, "was taken over from an owner who lived")


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        (lambda _: Owner(worker="", pid="", message=""), "killed"),
        (lambda owner: replace(owner, message=""), "cut off"),
    ],
    ids=["process", "message"],
)
def test_without_the_owner_of_a_claim_by_a_finish_only_its_time_ends_it(
    explorer, told, monkeypatch, changed, kind
):
    story = told("forward, inline", kind)

    def claim_for(*, owner, **others):
        return Claim(owner=changed(Owner.parse(owner)).format(), **others)

    monkeypatch.setattr(step_at_hand, "Claim", claim_for)
    assert_found(explorer, story, "had lost its owner until its time was over")
