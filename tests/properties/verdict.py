"""What a saga that ended, or is stuck, has left in the world."""

from tests.properties.log_view import View, code_of
from tests.properties.outside_world import World
from tests.properties.saga_shapes import SagaShape, StepShape


def check_end(shape: SagaShape, end: View, world: World) -> None:
    """Check that the end is what it says: consistent, whatever happened on the way."""
    names = [step.name for step in shape.steps]
    states = {
        path: end.record(code_of(path, names), "s")
        for step in shape.steps
        for channel in _channels(step)
        for path in (channel, f"{channel}:undo")
    }
    completions = [event for event in end.history if '"name":"step.compensated"' in event]
    assert len(completions) == len(set(_records_of(completions))), "an undo was recorded twice"
    for step in shape.steps:
        in_force = [path for path in _channels(step) if world.receivers[path].in_force]
        done = [path for path in _channels(step) if states[path] in ("done", "skipped")]
        assert len(in_force) <= 1 or end.status == "stuck", f"{step.name} took effect twice"
        assert all(world.receivers[path].undone <= 1 for path in _channels(step))
        if end.status == "completed":
            _check_completed(step, in_force, done)
        elif step.undoable:
            standing = [path for path in in_force if states[f"{path}:undo"] != "stuck"]
            assert not standing, f"{end.status}, and {standing} still stands"
    _check_reason(end, states)


def _check_completed(step: StepShape, in_force: list[str], done: list[str]) -> None:
    assert len(done) == 1 or step.passed_over, f"completed, and {step.name} was not done"
    assert len(done) <= 1, f"both channels of {step.name} were done"
    if done:
        assert in_force == done, f"completed: {done} was done, and {in_force} stands"


def _check_reason(end: View, states: dict[str, str | None]) -> None:
    failed = [path for path, state in states.items() if state == "stuck"]
    assert all(path.endswith(":undo") for path in failed)
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


def _channels(step: StepShape) -> list[str]:
    return [step.name, f"{step.name}:fallback"] if step.fallback else [step.name]
