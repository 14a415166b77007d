"""Connections that are kept at hand, on a real Redis."""

import threading

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import ResponseError
from redis.retry import Retry

from amends.backend.connection import KeptConnections, packer_of
from amends.log.saga_log import SagaLog

ATTEMPTS = 3


@pytest.fixture
def client(request, redis_url):
    """Give a client that waits for an answer for long, or for so many seconds as the test says."""
    patience = getattr(request, "param", 60.0)
    how = {"socket_timeout": patience, "retry": Retry(ConstantBackoff(0.01), retries=ATTEMPTS - 1)}
    with redis.Redis.from_url(
        redis_url, decode_responses=True, client_name="lines", **how
    ) as client:
        yield client


@pytest.fixture
def lines(client):
    return KeptConnections(client)


def test_a_line_is_used_again(lines):
    assert lines.ask("CLIENT", "ID") == lines.ask("CLIENT", "ID")


def test_threads_have_lines_of_their_own(lines):
    ids, both = [], threading.Barrier(2)

    def ask():
        line = lines._take()
        both.wait()
        lines._idle.append(line)
        ids.append(id(line))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 2


def test_a_line_that_redis_has_closed_is_connected_anew(redis_url, lines):
    number = lines.ask("CLIENT", "ID")
    with redis.Redis.from_url(redis_url) as other:
        other.client_kill_filter(_id=number)
    assert lines.ask("ECHO", "again") == "again"


def test_the_answer_of_a_call_that_was_interrupted_is_not_taken_for_the_next_ones(
    lines, monkeypatch
):
    line = lines._take()
    lines._idle.append(line)

    def interrupted():
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr(line.connection, "read_response", interrupted)
        with pytest.raises(SoftTimeLimitExceeded):
            lines.ask("ECHO", "not mine")
    assert lines.ask("ECHO", "mine") == "mine"


@pytest.mark.parametrize("client", [1.0], indirect=True)
def test_nor_is_an_answer_that_comes_too_late(lines):
    with pytest.raises(redis.TimeoutError):
        lines.ask("BLPOP", "lines:nothing", 3)
    assert lines.ask("ECHO", "mine") == "mine"


def test_a_command_is_sent_as_often_as_the_client_would(lines, monkeypatch):
    line, sent = lines._take(), []
    lines._idle.append(line)

    def send(packed, **_):
        sent.append(packed)
        raise Lost

    monkeypatch.setattr(line.connection, "send_packed_command", send)
    with pytest.raises(Lost):
        lines.ask("ECHO", "x")
    assert len(sent) == ATTEMPTS


@pytest.mark.parametrize("argument", ["\u00fc", b"\xff", 1, 0.1])
def test_a_command_is_packed_as_the_connection_would_pack_it(argument):
    connection, command = redis.Connection(), ("ECHO", argument)
    assert b"".join(packer_of(connection)(*command)) == b"".join(connection.pack_command(*command))


def test_a_connection_that_packs_otherwise_packs_itself():
    class Otherwise(redis.Connection):
        def pack_command(self, *_):
            return [b"otherwise"]

    assert packer_of(Otherwise())("ECHO", "x") == [b"otherwise"]


def test_what_redis_refuses_is_not_sent_again(client, lines):
    client.delete("lines:count")
    with pytest.raises(ResponseError):
        lines.ask(
            "EVAL", "redis.call('INCR', KEYS[1]) return redis.error_reply('no')", 1, "lines:count"
        )
    assert client.get("lines:count") == "1"
    client.delete("lines:count")


def test_a_library_that_traces_redis_hears_of_the_logs_scripts(client, monkeypatch):
    heard = []

    def traced(self, *args, **options):
        heard.append(args[0])
        return execute(self, *args, **options)

    execute = redis.Redis.execute_command
    log = SagaLog(client)
    log.claim_step("order-1047", "1", token="t", owner="w:1", retries=0)
    monkeypatch.setattr(redis.Redis, "execute_command", traced)
    log.claim_step("order-1047", "1", token="t", owner="w:1", retries=0)
    assert heard[0] == "EVALSHA"


def test_logs_of_one_client_share_its_lines(client):
    for _ in range(3):
        SagaLog(client).maintenance.take_due(lease=1.0, limit=1)
    ids = {SagaLog(client)._store._ask("CLIENT", "ID") for _ in range(3)}
    assert len(ids) == 1
