"""What is wrong with the archive of ended sagas."""

from collections.abc import Iterator, Sequence
from typing import Final

from amends.diagnosis.deployment.findings import Problem, Rule, warning
from amends.diagnosis.deployment.log_state import LogState


@warning("archive.failing", fine="the archive takes ended sagas, or there is none")
def _failing(log: LogState) -> Iterator[Problem]:
    state, path = log.archive, log.settings.archive
    if path is not None and state is not None and state.failing_for:
        yield Problem(
            what=f"the archive {path} has taken nothing for {state.failing_for:,.0f} s, and the log keeps what has ended and grows:"
            f" {state.error}",
            where="amends_archive",
            remedy="mend that; or unset amends_archive, by which sagas are removed without it",
        )


RULES: Final[Sequence[Rule[LogState]]] = (_failing,)
