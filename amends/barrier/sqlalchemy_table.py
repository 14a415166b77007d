"""The barrier's table for SQLAlchemy and Alembic."""

from sqlalchemy import Column, Double, Index, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import VARCHAR
from sqlalchemy.schema import BLANK_SCHEMA

from amends.barrier.idempotency_key import LONGEST_KEY
from amends.barrier.statements import INDEX, TABLE


def barrier_table(metadata: MetaData) -> Table:
    """Add the barrier's table to an application's metadata, where ``create_all`` and Alembic's autogenerate find it.

    metadata: such as ``Base.metadata``. The table lies in the default schema of the connection, whatever the metadata's is.

    Called again for the same metadata it returns the same table.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    # As in `statements`: the collation of MySQL that tells Order-1 from order-1.
    key = VARCHAR(LONGEST_KEY, charset="utf8mb4", collation="utf8mb4_bin")
    return Table(
        TABLE,
        metadata,
        Column(
            "idempotency_key",
            String(LONGEST_KEY).with_variant(key, "mysql", "mariadb"),
            primary_key=True,
        ),
        Column("state", String(16), nullable=False),
        Column("answer", Text, nullable=False),
        Column("changed_at", Double, nullable=False),
        Index(INDEX, "changed_at"),
        schema=BLANK_SCHEMA,
    )
