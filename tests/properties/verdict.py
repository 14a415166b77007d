"""What a saga that ended, or is stuck, has left in the world."""

from tests.properties.claim_table_model import channels, kinds_of
from tests.properties.log_view import View
from tests.properties.outside_world import World
from tests.properties.saga_shapes import SagaShape, StepShape


def check_end(shape: SagaShape, end: View, world: World) -> None:
    """Check that the end is what it says: consistent, whatever happened on the way."""
    code_of = shape.itinerary.code_of
    states = {
        path: end.record(code_of(path), "s")
        for name, step in shape.named_steps
        for channel in channels(name, step)
        for path in (channel, *(channel + kind for kind in kinds_of(step)))
    }
    completions = [event for event in end.history if '"name":"step.compensated"' in event]
    assert len(completions) == len(set(_records_of(completions))), "an undo was recorded twice"
    for name, step in shape.named_steps:
        if step.stands:
            _check_wait(step, end, states[name])
            assert (
                end.status != "compensated"
                or states[name] != "done"
                or not step.undoable
                or states[f"{name}:undo"] in ("done", "skipped")
            ), f"{name} stands"
            continue
        paths = channels(name, step)
        in_force = [path for path in paths if world.receivers[path].in_force]
        done = [path for path in paths if states[path] in ("done", "skipped")]
        assert len(in_force) <= 1 or end.status == "stuck", f"{name} took effect twice"
        assert all(world.receivers[path].undone <= 1 for path in paths)
        doubled = [path for path in paths if world.receivers[path].doubled]
        assert not (step.verified and doubled), f"{doubled} took effect twice"
        if end.status == "completed":
            _check_completed(name, step, in_force, done, states[name])
        elif step.pivot:
            assert not in_force or end.fields["direction"] == "forward", f"{name} stands alone"
        elif step.undoable and end.fields["direction"] == "backward":
            stuck = [path for path, state in states.items() if state == "stuck"]
            standing = [p for p in in_force if not {f"{p}:undo", f"{p}:verify"} & set(stuck)]
            assert not standing, f"{end.status}, and {standing} still stands"
    _check_reason(end, states)


def _check_wait(step: StepShape, end: View, state: str | None) -> None:
    assert state != "waiting" or end.status == "stuck", f"{end.status}, and {step.name} waits"
    if end.status == "completed":
        ended = ("done", "skipped", "omitted", *(["failed"] if step.passed_over else []))
        assert state in ended, f"completed, and {step.name} is {state}"


def _check_completed(
    name: str, step: StepShape, in_force: list[str], done: list[str], state: str | None
) -> None:
    is_omitted = state == "omitted"
    assert len(done) == 1 or step.passed_over or is_omitted, f"completed, and {name} was not done"
    assert len(done) <= 1, f"both channels of {name} were done"
    if done:
        assert in_force == done, f"completed: {done} was done, and {in_force} stands"


def _check_reason(end: View, states: dict[str, str | None]) -> None:
    failed = [path for path, state in states.items() if state == "stuck"]
    is_backward = end.fields["direction"] == "backward"
    assert all(path.endswith((":undo", ":verify")) or not is_backward for path in failed)
    reason = end.fields.get("reason", "")
    if reason.startswith("no worker knows"):
        assert end.status == "stuck"
        return
    assert (end.status == "stuck") == bool(failed), f"{end.status}, and {failed} failed for good"
    assert bool(reason) == bool(failed)
    if failed:
        assert reason in [f"{path} failed for good" for path in failed]


def _records_of(events: list[str]) -> list[str]:
    return [event.partition('"record":"')[2].partition('"')[0] for event in events]
