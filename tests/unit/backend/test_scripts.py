"""The Lua files: one for each transition, each called by the method of its name."""

import ast
import inspect
import re
import textwrap
from importlib.resources import files
from pathlib import Path

import pytest

from amends.backend.scripts import SCRIPTS, TRANSITIONS, of_any_kind, of_kind
from amends.breaker.redis_circuit import RedisCircuit
from amends.log import saga_log as log
from amends.log.acts.listing import Acts
from amends.log.archiving.archiving import Archiving
from amends.log.control import SagaControl
from amends.log.dispatches import Dispatches
from amends.log.heartbeats import Workers
from amends.log.maintenance import Maintenance
from amends.log.profiles import Profiles
from amends.log.queries.summary import SagaSummaries
from amends.log.reads import Reads
from amends.log.schedules.transitions import Schedules
from amends.log.starts import Starts
from amends.log.waits import Waits
from amends.log.watermarks import Watermarks

ROOT = Path(log.__file__).parent.parent.parent
TEXTS = {
    Path(file.name).stem: file.read_text(encoding="utf-8")
    for room in ("amends.log", "amends.breaker")
    for file in (files(room) / "lua").iterdir()
    if file.name.endswith(".lua")
}


CALLS = (
    *("call", "call_many", "try_many", "call_for_one", "call_for_each"),
    *("_do", "_act", "_ask", "_call"),
)


def calls_of_scripts(cls):
    """Tell which script each method of this part of the log calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    called = {}
    for method in ast.walk(tree):
        if not isinstance(method, ast.FunctionDef):
            continue
        for call in ast.walk(method):
            match call:  # a script that there is a plain one of
                case ast.Assign(targets=[ast.Name(id="script")], value=value):
                    names = [n.value for n in ast.walk(value) if isinstance(n, ast.Constant)]
                    called.setdefault(method.name, set()).update(names)
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in CALLS
                and isinstance(call.args[0], ast.Constant)
            ):
                called.setdefault(method.name, set()).add(call.args[0].value)
    return called


INCLUDE = re.compile(r"^--! include (\w+)$", flags=re.MULTILINE)
PARTS = {name for text in TEXTS.values() for name in INCLUDE.findall(text)}


def test_every_file_is_a_script_or_a_part_of_some():
    assert {of_any_kind(name) for name in SCRIPTS} == set(TEXTS) - PARTS
    assert "claim_step" in SCRIPTS


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_begins_with_its_sentence(name):
    assert re.match(r"-- [A-Z][a-z]+ [a-z].{8,}", TEXTS[name].splitlines()[0])


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"saga"}))
def test_a_script_names_its_keys_or_shares_those_of_a_saga(name):
    assert "KEYS[1]" in TEXTS[name] or "--! include " in TEXTS[name]


def test_redis_is_called_by_the_scripts_alone():
    sources = [
        path
        for folder in ("amends", "tasks", "sagas")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".lua")
    ]
    calling = {path for path in sources if "redis.call(" in path.read_text(encoding="utf-8")}
    assert calling
    assert {path.parent for path in calling} == {
        ROOT / "amends" / "log" / "lua",
        ROOT / "amends" / "breaker" / "lua",
        ROOT / "amends" / "barrier" / "lua",
    }


def test_a_method_of_the_log_runs_the_script_of_its_name():
    for cls in (log.SagaLog, Archiving, Dispatches, Reads, SagaControl, Schedules, Waits):
        called = calls_of_scripts(cls)
        assert called == {name: {name} for name in called}


def test_a_method_for_many_sagas_runs_the_script_of_its_name_or_that_for_one():
    assert calls_of_scripts(Starts) == {
        "_start_saga": {"start_saga"},
        "_send_starts": {"start_saga"},
    }
    assert calls_of_scripts(Maintenance) == {
        "look_at_sagas": {"dispatch_saga"},
        "take_due": {"take_due"},
        "hasten_sagas": {"hasten_sagas"},
        "_remove": {"remove_saga"},
        "forget_ids": {"forget_ids"},
        "denied_commands": {"try_commands"},
        "note_paused": {"note_paused"},
        "note_pauses": {"note_pauses"},
    }


def test_a_method_that_places_sagas_runs_the_script_of_its_name():
    assert calls_of_scripts(SagaSummaries) == {"summarize_sagas": {"summarize_saga"}}


def test_a_method_of_the_shared_circuit_runs_the_script_of_its_name():
    called = calls_of_scripts(RedisCircuit)
    assert called == {name: {name} for name in called}


def test_every_script_is_run_and_every_one_that_is_run_is_there():
    calling = (
        log.SagaLog,
        Reads,
        Starts,
        SagaControl,
        Maintenance,
        Profiles,
        RedisCircuit,
        SagaSummaries,
        Workers,
        Watermarks,
        Schedules,
        Archiving,
        Dispatches,
        Waits,
        Acts,
    )
    called = set().union(*(names for cls in calling for names in calls_of_scripts(cls).values()))
    assert called == {of_any_kind(name) for name in SCRIPTS}


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() & TEXTS.keys()))
def test_an_included_file_comes_before_the_text_that_asks_for_it(name):
    sentences = {each: text.splitlines()[0] for each, text in TEXTS.items()}

    def places(asking):
        return [SCRIPTS[name].index(sentences[each]) for each in INCLUDE.findall(TEXTS[asking])]

    asking = [name, *(part for part in PARTS if sentences[part] in SCRIPTS[name])]
    for each in asking:
        assert all(place < SCRIPTS[name].index(sentences[each]) for place in places(each))
    assert all(SCRIPTS[name].count(sentences[each]) == 1 for each in asking)


UNUSED = {
    "adopt_saga": {"set_due"},
    "await_saga": {"index_of", "path_of"},
    "claim_step_plain": {"record_of"},
    "complete_step_plain": {"note_unsent"},
    "complete_and_claim_plain": {"note_unsent"},
    "fail_step_plain": {"note_unsent"},
    "retry_step_plain": {"plan_of", "turn_back"},
    "decide_tick": {"note"},
    "forget_schedule": {"note", "set"},
    "cancel_saga": {"follow_branch", "open_record"},
    "dispatch_saga": {"follow_branch", "open_record"},
    "end_child": {"follow_branch"},
    "end_stage": {"follow_branch", "open_record"},
    "examine_saga": {"chain_ahead", "index_of", "is_over", "open_record"},
    "expand_stage": {"follow_branch", "open_record"},
    "note_child": {"follow_branch"},
    "note_unregistered": {"set_state", "path_of", "note_sent", "number_messages"},
    "open_wait": {"follow_branch"},
    "release_saga": {"get", "index_of", "is_over"},
    "remove_saga": {"is_over", "index_of"},
    "resume_saga": {"open_record", "owe_message", "path_of", "set_state", "unset"},
    "retry_saga": {
        *("follow_branch", "open_record", "open_stage", "retry_branch", "settle"),
        "turn_back",
    },
    "retry_step": {"turn_back"},
    "signal_saga": {"follow_branch"},
    "skip_step": {"follow_branch", "open_stage", "owe_message"},
    "summarize_saga": {"chain_ahead", "is_over", "open_record"},
    "take_over": {"path_of", "add_event", "set_due"},
    "turn_saga": {"follow_branch", "open_record"},
    "unpark_saga": {"open_record", "owe_message", "set_state", "used"},
    "release_probe": {"add_event", "move_to"},
}
"""What a script includes and does not use: Redis makes each function anew whenever it runs."""


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_has_every_function_that_it_calls_and_few_others(name):
    code = re.sub(r"--.*", "", SCRIPTS[name])
    has = re.findall(r"^local function (\w+)", code, flags=re.MULTILINE)
    known = {
        each
        for text in TEXTS.values()
        for each in re.findall(r"^local function (\w+)", text, re.MULTILINE)
    }
    called = set(re.findall(r"(?<!function )\b(\w+)\(", code))
    assert len(has) == len(set(has))
    aliases = re.findall(r"^local (\w+) = \w+$", code, flags=re.MULTILINE)
    assert called & known <= {*has, *aliases}
    assert set(has) - called - {"transition", "for_one"} == UNUSED.get(name, set())


def test_a_mark_at_the_end_of_a_line_is_for_that_line_and_a_wrong_one_is_no_comment():
    text = "local a\nlocal b  --! shaped\nlocal c  --! plain\n"
    assert of_kind(text, "shaped") == "local a\nlocal b\n"
    assert of_kind(text, "plain") == "local a\nlocal c\n"
    with pytest.raises(KeyError, match="shapd"):
        of_kind("local a  --! shapd\n", "plain")


def test_a_transition_is_a_script_that_can_write_to_a_history():
    assert {
        name for name, text in SCRIPTS.items() if "HISTORY, unpack(EVENTS)" in text
    } == TRANSITIONS
