"""What must hold at the end of a run, whoever was struck on the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from amends.definition.itinerary import Itinerary
from amends.definition.plans import StagePlan, StepPlan
from tests.explorer.explored_saga import SAGA_ID
from tests.explorer.explored_stages import ITEMS, LEFT_OUT
from tests.explorer.explored_waits import CHILD_ID
from tests.explorer.log_moments import Moment
from tests.explorer.plots import Plot
from tests.explorer.receiver import Ledger


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known beside the log: the service's ledger, and what happened to the saga."""

    ledger: Ledger
    struck: bool
    cancelled: bool
    stopped: bool = False  #: Whether somebody stood still, and went on later.


def wrongs_of(plot: Plot, evidence: Evidence, end: Moment, last: Moment) -> list[str]:
    """Tell all that is wrong with an end, `last` being the moment when all latecomers had come."""
    wrongs = list(evidence.ledger.wrongs)
    if end.status is None:
        return wrongs + ["there is no saga, and yet an effect"] * bool(evidence.ledger.made)
    return [
        *wrongs,
        *_wrong_log(end),
        *_wrong_direction(plot, evidence, end),
        *_wrong_effects(plot.itinerary, evidence, end),
        *_wrong_order(plot.itinerary, end),
        *_wrong_pause(end),
        *(_wrong_remains(last) if plot.is_removed else _wrong_after(end, last)),
    ]


def _wrong_log(end: Moment) -> list[str]:
    names = [event["name"] for event in end.history]
    finished = names.count("saga.finished")
    running = [name for name, value in end.fields.items() if value == "running"]
    undos = end.records("step.compensated")
    done = end.records("step.completed")
    return _those(
        (end.due is None, "an ended saga is due"),
        (end.indexes == {end.status}, f"{end.status}, and indexed as {set(end.indexes)}"),
        (not running, f"{running} still runs"),
        (names.count("saga.started") == 1 and names[0] == "saga.started", "it began twice"),
        (finished == (end.status != "stuck"), f"{end.status}, and finished {finished} times"),
        (len(undos) == len(set(undos)), f"undone twice: {undos}"),
        (len(done) == len(set(done)), f"done twice: {done}"),
    )


def _wrong_direction(plot: Plot, evidence: Evidence, end: Moment) -> list[str]:
    may_end = {plot.ends, "completed", "compensated"} if evidence.struck else {plot.ends}
    return _those(
        (end.status in may_end, f"{plot.ends} was to be expected, and not {end.status}"),
        (not evidence.cancelled or end.status != "completed", "cancelled, and completed"),
    )


def _names_of(itinerary: Itinerary) -> list[tuple[str, StepPlan]]:
    """Name each step, one for items once for each."""
    found: list[tuple[str, StepPlan]] = []
    for stage in itinerary.stages:
        if isinstance(stage, StagePlan) and stage.items:
            found += [(f"{s.name}[{k}]", s) for k in range(1, ITEMS + 1) for s in stage.steps]
        else:
            found += [(s.name, s) for s in (stage.steps if isinstance(stage, StagePlan) else stage)]
    return found


def _wrong_effects(itinerary: Itinerary, evidence: Evidence, end: Moment) -> list[str]:
    wrongs, ledger = [], evidence.ledger
    has_pivot = any(step.pivot for step in itinerary.steps)
    passed_pivot = has_pivot and end.fields["direction"] == "forward"
    for name, step in _names_of(itinerary):
        if step.stands:
            wrongs += _wrong_child(itinerary, ledger, end) if step.child else []
            continue
        code = itinerary.code_of(name)
        channels = {name: code}
        if step.fallback:
            channels[f"{name}:fallback"] = f"{code}f"
        keys = {path: f"{SAGA_ID}:{path}" for path in channels}
        in_force = [path for path, key in keys.items() if key in ledger.in_force]
        # What comes after the receiver was asked is not prevented by it: the docs say so of `settle`.
        if evidence.stopped and ledger.denied & set(keys.values()):
            continue
        done = [path for path, code in channels.items() if end.fields.get(f"{code}.s") == "done"]
        stuck = [p for p, code in channels.items() if end.fields.get(f"{code}u.s") == "stuck"]
        repeated = [k for k in keys.values() if ledger.made[k] > 1 or ledger.undone[k] > 1]
        wrongs += [f"{key} was made {ledger.made[key]} times" for key in repeated]
        if end.status == "completed":
            is_left_out = name in LEFT_OUT
            is_right = in_force == done and len(done) == (0 if is_left_out else 1)
            if step.on_failure == "compensate" and not is_right:
                wrongs.append(f"completed: {done} is done, and {in_force} in force")
        elif passed_pivot and set(in_force) - _unsure(end, channels) != set(done):
            wrongs.append(f"stuck past the pivot: {done} is done, and {in_force} in force")
        elif passed_pivot:
            continue
        elif (step.compensation or step.pivot) and set(in_force) - set(stuck):
            wrongs.append(f"{end.status}, and {in_force} is in force")
    return wrongs


def _wrong_child(itinerary: Itinerary, ledger: Ledger, end: Moment) -> list[str]:
    """Tell what is wrong with what the saga's child did."""
    key, state = f"{CHILD_ID}:h", end.fields.get(f"{itinerary.code_of('k')}.s")
    stands = key in ledger.in_force
    return _those(
        (ledger.made[key] < 2, f"{key} was made {ledger.made[key]} times"),
        (end.status != "completed" or (stands and state == "done"), f"completed: {key} {state}"),
        (end.status != "compensated" or not stands, f"compensated, and {key} is in force"),
        ("waiting" not in end.fields.values(), "ended, and something waits"),
    )


def _unsure(end: Moment, channels: Mapping[str, str]) -> set[str]:
    """Return what waits for a person, who has to look: an attempt ended of whose effect nobody knows."""
    stuck = [path for path, code in channels.items() if end.fields.get(f"{code}.s") == "stuck"]
    return {path for path in stuck if f"{channels[path]}.u" in end.fields}


def _wrong_order(itinerary: Itinerary, end: Moment) -> list[str]:
    """Undos begin in reverse order of start, but for branches; a void is earlier, and belongs to the way forward."""
    names = [event["name"] for event in end.history]
    turn = names.index("saga.compensating") if "saga.compensating" in names else len(names)
    undos = [
        (k, event["record"].removesuffix(":undo"))
        for k, event in enumerate(end.history)
        if event["name"] == "step.compensating"
    ]
    voided = {path for k, path in undos if k < turn}
    began = list(dict.fromkeys(path for _, path in undos if path not in voided))
    started = list(
        dict.fromkeys(
            event["record"]
            for event in end.history
            if event["name"] in ("step.started", "step.waiting")
        )
    )
    at = {path: k for k, path in enumerate(started)}
    swapped = [
        (one, other)
        for k, one in enumerate(began)
        for other in began[k + 1 :]
        if at[one] < at[other] and not _are_beside(itinerary, one, other)
    ]
    return _those(
        (not swapped, f"undone in the order {began}, started in the order {started}"),
        ("step.started" not in names[turn:], "a step started after the saga had turned"),
    )


def _are_beside(itinerary: Itinerary, *paths: str) -> bool:
    """Tell whether two records are in different branches of one stage."""
    one, other = map(itinerary.branch_of, paths)
    return one != other and one.partition(".")[0] == other.partition(".")[0]


def _wrong_pause(end: Moment) -> list[str]:
    wrongs, is_paused = [], False
    for event in end.history:
        if event["name"] in ("saga.paused", "saga.resumed"):
            is_paused = event["name"] == "saga.paused"
        if is_paused and event["name"] in ("step.started", "step.compensating"):
            wrongs.append(f"{event['record']} was claimed while the saga was paused")
    return wrongs


def _wrong_remains(last: Moment) -> list[str]:
    left = [last.fields, last.history, last.indexes, last.due]
    return _those((not any(left), f"it was removed, and came back as {left}"))


def _wrong_after(end: Moment, last: Moment) -> list[str]:
    added = [event["name"] for event in last.history[len(end.history) :]]
    return _those(
        (last.facts == end.facts, "it changed after its end"),
        (last.indexes == end.indexes and last.due is None, "it was indexed anew after its end"),
        (set(added) <= {"step.late"}, f"{added} happened after its end"),
    )


def _those(*expectations: tuple[bool, str]) -> list[str]:
    return [wrong for holds, wrong in expectations if not holds]
