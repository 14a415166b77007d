"""Acts of operators on circuits, in the saga log's list of acts."""

from collections.abc import Mapping

from celery import Celery

from amends.breaker.operator_acts import subscribe
from amends.log.control import new_act_id
from amends.log.saga_log import log_of


def list_act(app: Celery, act: str, circuit: str, actor: Mapping[str, str]) -> None:
    """List an act on a circuit. Raises `LogUnavailable`."""
    log_of(app).acts.note_circuit_act(new_act_id(), act, circuit, actor)


subscribe(list_act)
