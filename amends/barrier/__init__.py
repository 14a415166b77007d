"""A barrier for receivers: an effect once for each idempotency key, undone once, and never made after its undo.

The row of a key is written in the receiver's own transaction, before the effect::

    with barrier(session, context().idempotency_key) as first:
        if first:
            ...  # the effect
            first.keep({"transaction_id": "t-81"})
    return first.answer

    with undoing(session, context().undoes.idempotency_key) as took_effect:
        if took_effect:
            ...  # the undo

A state stands for a key, as a row of the table ``amends_barrier`` or as a hash in Redis:

    (no row) --barrier--> in_force --undoing--> undone
    (no row) --undoing--> tombstone

It needs no Celery app and no setting. SQLAlchemy and Django are imported by what is given a session or a connection of
theirs, and by the module that defines their table: `amends.barrier.sqlalchemy_table`, `amends.barrier.django_table`.
"""

from amends.barrier.block import Block, barrier, undoing
from amends.barrier.calls import Call, Undo
from amends.barrier.redis_barrier import RedisBarrier
from amends.barrier.retention import forget
from amends.errors import BarrierBusy

__all__ = [
    "BarrierBusy",
    "Block",
    "Call",
    "RedisBarrier",
    "Undo",
    "barrier",
    "forget",
    "undoing",
]
