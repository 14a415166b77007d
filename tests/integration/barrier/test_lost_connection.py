"""A connection that is lost in a block: the receiver gets its driver's error, and the key is as before."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError as DjangoError
from sqlalchemy.exc import OperationalError

CUT_OFF = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE state = 'idle in transaction'"


def test_a_call_whose_connection_is_lost_leaves_no_row_and_can_be_made_again(receiver, key):
    if receiver.database != "postgresql":
        pytest.skip("PostgreSQL's pg_terminate_backend cuts the connection off")

    def cut_off():
        with receiver.transaction() as connection:
            return receiver.execute(connection, CUT_OFF)

    def lose_it():
        with ThreadPoolExecutor(1) as pool:  # Django has a connection for each thread
            assert len(pool.submit(cut_off).result()) == 1

    with pytest.raises((OperationalError, DjangoError), match="terminating connection"):
        receiver.act(key, lose_it)
    assert receiver.act(key) == {"receipt": key}
    assert receiver.book(key) == ["made"]
