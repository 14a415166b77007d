"""Channels that keep their client, on a real Redis."""

from dataclasses import dataclass

import pytest
from kombu import VERSION as KOMBU
from kombu import Connection
from redis.credentials import CredentialProvider

from amends.dispatch.fast_path.chain_template import push
from amends.dispatch.fast_path.channel_client import keep_client

pytestmark = pytest.mark.fast_path


@pytest.fixture
def channel(app):
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        keep_client(channel)
        yield channel


def clients_of(channel):
    with channel.conn_or_acquire() as one, channel.conn_or_acquire() as another:
        return one, another


def test_a_channel_keeps_its_client(channel):
    one, another = clients_of(channel)
    assert one is another
    keep_client(channel)
    assert clients_of(channel)[0] is one


def test_the_client_that_reads_is_another(channel):
    assert channel.client is not clients_of(channel)[0]


def test_new_connections_come_with_a_client_of_theirs(channel):
    before, _ = clients_of(channel)
    channel._disconnect_pools()
    after, _ = clients_of(channel)
    assert after is not before
    assert after.connection_pool is channel.pool
    after.ping()


@dataclass
class Credentials(CredentialProvider):
    """A provider without a hash, of a server that asks for none."""

    def get_credentials(self):
        return ()


@pytest.mark.skipif(KOMBU < (5, 6), reason="it takes no credential provider")
def test_a_credential_provider_without_a_hash_is_left_to_kombu(app):
    with Connection(app.conf.broker_url, credential_provider=Credentials()) as connection:
        channel = connection.default_channel
        keep_client(channel)
        one, another = clients_of(channel)
    assert one is not another


def test_what_is_pushed_by_a_channel_that_keeps_none_takes_no_connection_for_good(app, broker):
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for _ in range(channel.max_connections + 1):
            push(channel, "pushed", ["text"])
    assert broker.llen("pushed") == channel.max_connections + 1
    broker.delete("pushed")


def test_a_channel_of_another_transport_stays_as_it_is():
    with Connection("memory://") as connection:
        before = dict(vars(connection.default_channel))
        keep_client(connection.default_channel)
        assert vars(connection.default_channel) == before


def test_the_channel_that_a_worker_consumes_by_keeps_its_client(worker):
    one, another = clients_of(worker.consumer.task_consumer.channel)
    assert one is another
