"""Revoking a saga's id cancels the saga: the button on its row in Flower, or ``app.control.revoke(saga_id)``."""

from typing import Final

from celery import Celery
from celery.worker import state

from amends.definition.serialization import canonical_json
from amends.dispatch.messages import send_advance
from amends.errors import UnknownSaga
from amends.log.answers import Advance
from amends.log.saga_log import log_of

_ACTOR: Final = {"by": "revoke", "why": "its id was revoked"}
_ERROR: Final = canonical_json({"type": "Cancelled", "message": _ACTOR["why"]})


class Revocations:
    """What is revoked while this worker lives; each worker is told, and the first one cancels."""

    def __init__(self) -> None:
        self._seen = _revoked()

    def cancel_sagas(self, app: Celery) -> None:
        """Cancel the sagas whose ids were revoked since the last time. Raises `LogUnavailable`."""
        revoked = _revoked()
        for id_ in revoked - self._seen:
            try:
                follows = log_of(app).control.cancel_saga(id_, error=_ERROR, actor=_ACTOR)
            except UnknownSaga:
                continue  # it is a task's
            if isinstance(follows, Advance):
                send_advance(app, id_, follows.number)
        self._seen = revoked


def _revoked() -> set[str]:
    while True:
        try:
            return {str(id_) for id_ in state.revoked}
        except RuntimeError:  # another thread changed it meanwhile
            continue
