"""A saga wherever it is: in the log, or in the archive after it was removed."""

from celery import Celery

from amends.archive.contents import entry_of, history_of, standing_of
from amends.archive.document import ArchivedSaga
from amends.archive.protocol import ReadableArchive, archive_of
from amends.definition.states import SagaStatus
from amends.errors import UnknownSaga
from amends.log.history import Event
from amends.log.saga_log import log_of
from amends.log.saga_state import Entry, Standing


def read_saga(app: Celery, saga_id: str) -> Entry:
    """Read a saga's last state. Raises `UnknownSaga`, `UnreadableData`, and `LogUnavailable`."""
    try:
        return log_of(app).read_saga(saga_id)
    except UnknownSaga as error:
        return entry_of(_found(app, error))


def read_history(app: Celery, saga_id: str) -> list[Event]:
    """Read every event of a saga, in order. Raises what `read_saga` does."""
    try:
        return log_of(app).read_history(saga_id)
    except UnknownSaga as error:
        return history_of(_found(app, error))


def examine_saga(app: Celery, saga_id: str) -> Standing:
    """Read a saga's last state with its history, and what remains of it. Raises what `read_saga` does."""
    try:
        return log_of(app).examine_saga(saga_id)
    except UnknownSaga as error:
        return standing_of(_found(app, error))


def archived_status(app: Celery, error: UnknownSaga) -> SagaStatus:
    """Return the status of an archived saga that the log neither has nor remembers. Raises the log's error if there is none."""
    return SagaStatus(_found(app, error).status)


def read_outcome(app: Celery, saga_id: str) -> str | None:
    """Read a saga's outcome, None until it is decided. Raises `UnknownSaga`, and `LogUnavailable`."""
    try:
        return log_of(app).read_saga(saga_id).outcome
    except UnknownSaga as error:
        if past := log_of(app).read_remembered(saga_id):
            return past.outcome
        return _found(app, error).outcome


def _found(app: Celery, error: UnknownSaga) -> ArchivedSaga:
    """Return the archived saga that the log no longer has. Raises the log's error if there is none."""
    archive = archive_of(app)
    if not isinstance(archive, ReadableArchive):
        raise error
    try:
        found = archive.find(error.saga_id)
    except Exception as failure:
        why = f"{type(failure).__name__}: {failure}"
        raise UnknownSaga(
            error.saga_id, f"{error}; the archive could not be asked: {why}"
        ) from failure
    if found is None:
        raise error
    return found
