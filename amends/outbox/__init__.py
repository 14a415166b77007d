"""A transactional outbox: starts of sagas that stand or fall with their caller's database transaction.

A start is a row of the table ``amends_outbox``, written in that transaction. After the commit the same process delivers it: it
starts the saga and deletes the row. What a crash or an outage left is delivered by the relay of any worker. A row may be
delivered twice, and the saga's id makes that one start.

SQLAlchemy and Django are imported by what is given a session or an alias of theirs, and by the module that defines their table:
`amends.outbox.sqlalchemy_table`, `amends.outbox.django_table`.
"""
