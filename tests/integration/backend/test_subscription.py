"""A process's subscription: it wakes who listens, and says when it hears nothing."""

import threading
import time
import uuid
from functools import partial

import pytest
import redis

from amends.backend.client import client_of
from amends.backend.subscription import Subscription
from amends.backend.url import redis_url as as_backend
from tests.support.eventually import eventually
from tests.support.redis_clusters import own_cluster


@pytest.fixture
def root(each_redis):
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as client:
        yield client
        eventually(lambda: not pubsubs(client))  # a thread ends once nobody listens


@pytest.fixture
def make(each_redis):
    def make(url="", idle=0.0, **how):
        client = client_of(url or each_redis.url)
        return Subscription(client, f"amends:waits:{uuid.uuid4().hex}", idle=idle, **how)

    return make


def listeners(root, subscription):
    return root.pubsub_numsub(subscription.channel)[0][1]


def pubsubs(root):
    return [each["id"] for each in root.client_list(_type="pubsub")]


def look_twice():
    """Let the thread look twice at what it doubts."""
    until = time.monotonic() + 2.5
    eventually(lambda: time.monotonic() > until)


def live(subscription):
    """Wait until it is live, as who waits does: one that failed is begun again by the next look."""
    return eventually(lambda: subscription.ensure() or subscription.is_live)


def published(root, subscription, name):
    assert root.publish(subscription.channel, name) == 1


def test_who_listens_for_a_name_is_woken_by_it_alone(root, make):
    subscription = make()
    with subscription.listening("a") as a, subscription.listening("b") as b:
        live(subscription)
        eventually(lambda: a.is_set() and b.is_set())  # it is live now: look anew
        a.clear(), b.clear()
        published(root, subscription, "a")
        assert a.wait(60)
        assert not b.is_set()


def test_a_thousand_listeners_have_one_subscription_and_one_connection(root, make):
    subscription = make()
    before = len(root.client_list())
    threads = set(threading.enumerate())
    contexts = [subscription.listening(f"{k}") for k in range(1_000)]
    events = [each.__enter__() for each in contexts]
    live(subscription)
    for _ in range(10):
        subscription.ensure()
    assert listeners(root, subscription) == 1
    assert len(root.client_list()) == before + 1
    assert [each.name for each in set(threading.enumerate()) - threads] == ["amends-waits"]
    for k in range(1_000):
        root.publish(subscription.channel, f"{k}")
    assert all(event.wait(60) for event in events)
    for each in contexts:
        each.__exit__(None, None, None)


def test_it_ends_when_nobody_has_listened_for_a_while_and_begins_again(root, make):
    subscription = make(idle=0.1)
    for _ in range(2):
        with subscription.listening("a") as event:
            live(subscription)
            published(root, subscription, "a")
            assert event.wait(60)
        eventually(lambda: not subscription.is_live and not listeners(root, subscription))


def test_a_connection_that_is_lost_is_made_anew_and_all_look(root, make):
    subscription = make()
    with subscription.listening("a") as event:
        live(subscription)
        eventually(event.is_set)
        event.clear()
        root.client_kill_filter(_type="pubsub")
        assert event.wait(60)
        eventually(lambda: subscription.ensure() or listeners(root, subscription))
        live(subscription)
        event.clear()
        published(root, subscription, "a")
        assert event.wait(60)


def test_a_message_that_was_missed_makes_it_subscribe_anew(root, make):
    subscription = make(trusted=0.0)
    with subscription.listening("a") as event:
        live(subscription)
        (before,) = pubsubs(root)
        event.clear()
        subscription.doubt("a")
        assert event.wait(60)

        def anew():
            subscription.ensure()
            return pubsubs(root) and before not in pubsubs(root)

        eventually(anew)
        live(subscription)


def test_a_message_that_comes_late_makes_nobody_doubt(root, make):
    subscription = make(trusted=0.0)
    with subscription.listening("a"):
        live(subscription)
        before = pubsubs(root)
        subscription.doubt("a")
        published(root, subscription, "a")
        look_twice()
        assert pubsubs(root) == before


def test_a_new_subscription_is_not_doubted_for_a_while(root, make):
    """As with workers of an earlier release, which publish nothing."""
    subscription = make()
    with subscription.listening("a"):
        live(subscription)
        before = pubsubs(root)
        subscription.doubt("a")
        look_twice()
        assert pubsubs(root) == before


def test_a_user_without_rights_to_channels_never_has_it_live_and_is_asked_seldom(
    root, make, each_redis
):
    root.execute_command("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "resetchannels", "+@all")
    subscription = make(each_redis.url.replace("://", "://deaf:secret@"))
    root.config_resetstat()
    with subscription.listening("a") as event:
        subscription.ensure()
        assert event.wait(60)
        for _ in range(10):
            subscription.ensure()
            for thread in threading.enumerate():
                if thread.name == "amends-waits":
                    thread.join(60)
        assert not subscription.is_live
        assert root.info("commandstats")["cmdstat_subscribe"]["rejected_calls"] == 1
    root.execute_command("ACL DELUSER deaf")


def test_without_a_client_it_is_never_live():
    subscription = Subscription(None, "channel")
    with subscription.listening("a"):
        subscription.ensure()
        assert not subscription.is_live


@pytest.mark.servers
def test_in_a_cluster_it_hears_what_any_node_publishes(tmp_path):
    with own_cluster(tmp_path) as cluster:
        client = client_of(as_backend(cluster.url))
        subscription = Subscription(client, f"amends:waits:{uuid.uuid4().hex}")
        with subscription.listening("a") as event:
            live(subscription)
            for node in cluster.nodes:
                eventually(event.is_set)
                event.clear()
                # Between nodes one may get lost, as before their links stand.
                eventually(partial(said_and_heard, node.client, subscription, event))


def said_and_heard(client, subscription, event):
    client.publish(subscription.channel, "a")
    return event.wait(1)
