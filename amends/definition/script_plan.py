"""What the scripts read of an itinerary, in the form that ``lua/saga.lua`` tells."""

from collections.abc import Iterable, Iterator

from amends.definition.itinerary import Itinerary, RecordPlan, records_of
from amends.definition.paths import ITEM
from amends.definition.plans import StagePlan


def script_plan(itinerary: Itinerary) -> str:
    """Write the records of the line in order, then a line for each record."""
    line: list[str] = []
    lines: list[str] = []
    for n, stage in enumerate(itinerary.stages, 1):
        if isinstance(stage, StagePlan):
            line += [f"p{n}", f"p{n}u"]
            lines += _stage_lines(itinerary, n, stage)
        else:
            records = list(records_of(stage[0]))
            line += [itinerary.code_of(record.path) for record in records]
            lines += [f"{_record_line(itinerary, each)}{_outcome(each)}" for each in records]
    if itinerary.requires > 1:
        lines.append(f"#requires|{itinerary.requires}")
    return "\n".join([",".join(line), *lines, ""])


def _stage_lines(itinerary: Itinerary, n: int, stage: StagePlan) -> Iterator[str]:
    many = 0 if stage.items else len(stage.branches)
    flag = "o" if stage.undo == "ordered" else ""
    sources = _sources(itinerary, stage.sources)
    yield f"stage {n}|p{n}:{many}:{sources}:{flag}:{stage.concurrency or 0}"
    for k, branch in enumerate(stage.branches, 1):
        number = "" if stage.items else str(k)
        records = [
            record
            for step in branch
            for record in records_of(step, is_for_items=stage.items is not None)
        ]
        yield f"#p{n}.{number}|{','.join(itinerary.code_of(record.path) for record in records)}"
        for record in records:
            yield f"{_record_line(itinerary, record)}:p{n}.{number}{_outcome(record)}"


def _record_line(itinerary: Itinerary, record: RecordPlan) -> str:
    sources = "t" if record.is_for_items else _sources(itinerary, record.paths)
    wait = record.step.wait
    limit = wait.count if wait else round(record.call.start_to_close_timeout * 1000)
    flag = "c" if record.step.on_failure == "continue" else "n" if record.step.pivot else ""
    flag = "" if record.verifies else flag
    line = f"{record.path}|{itinerary.code_of(record.path)}:{limit}:{sources}:{flag}"
    return f"{line}:{round(record.step.settle * 1000)}" if record.verifies else line


def _outcome(record: RecordPlan) -> str:
    """Return the saga's outcome if a wait ends without its signals."""
    return f";{record.outcome_of(TimeoutError)}" if record.step.wait else ""


def _sources(itinerary: Itinerary, paths: Iterable[str]) -> str:
    names = sorted({path.partition(".")[0] for path in paths} - {ITEM})
    return ",".join("i" if name == "input" else itinerary.step_codes[name] for name in names)
