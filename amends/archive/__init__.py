"""Ended sagas, kept elsewhere before the log removes them.

`amends_archive` names an `Archive`: a callable that takes each ended saga as an `ArchivedSaga`. Two come along:
`amends.archive.sqlalchemy_archive.SQLAlchemyArchive` and `amends.archive.json_lines.JsonLinesArchive`.
"""

from amends.archive.document import ArchivedEvent, ArchivedRecord, ArchivedSaga
from amends.archive.protocol import Archive, ReadableArchive

__all__ = ["Archive", "ArchivedEvent", "ArchivedRecord", "ArchivedSaga", "ReadableArchive"]
