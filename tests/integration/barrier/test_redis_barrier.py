"""The cases of a barrier on a Redis, where effect and barrier are one script."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import redis.asyncio
from redis.exceptions import ResponseError

from amends.barrier import RedisBarrier
from amends.barrier.retention import AGE, LEAST_AGE
from amends.errors import Refused
from tests.support.redis_clusters import own_cluster

TAKE = """
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
if left < tonumber(ARGV[1]) then return {refused = 'only ' .. left .. ' are left'} end
redis.call('DECRBY', KEYS[1], ARGV[1])
return ARGV[1] -- what the undo gives back
"""
GIVE_BACK = "redis.call('INCRBY', KEYS[1], ANSWER)"


class Shop:
    """A shop whose stock is in Redis, with ten pieces of what a test sells."""

    def __init__(self, client, key, **how):
        self.client = client
        self.barrier = RedisBarrier(client, **how)
        self.stock = f"{{{key}}}:stock"
        client.set(self.stock, 10)

    def take(self, key, count=3):
        return self.barrier.make(key, TAKE, keys=[self.stock], args=[count])

    def give_back(self, key):
        return self.barrier.undo(key, GIVE_BACK, keys=[self.stock])

    @property
    def left(self):
        return int(self.client.get(self.stock))


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def client(request, redis_url):
    with redis.Redis.from_url(f"{redis_url}/9", decode_responses=request.param) as client:
        yield client


@pytest.fixture
def shop(client, key):
    return Shop(client, key)


def test_a_duplicate_makes_no_effect_and_gets_the_kept_answer(shop, key):
    assert [shop.take(key), shop.take(key, 5)] == ["3", "3"]
    assert shop.left == 7


def test_an_effect_is_undone_once_with_the_kept_answer(shop, key):
    shop.take(key)
    assert [shop.give_back(key) for _ in range(3)] == [True, False, False]
    assert shop.left == 10


def test_a_null_undo_leaves_a_tombstone_that_refuses_the_hanging_call(shop, key):
    assert [shop.give_back(key) for _ in range(2)] == [False, False]
    with pytest.raises(Refused, match=f"'{key}' was undone: nothing is done under it any more"):
        shop.take(key)
    assert shop.left == 10


def test_a_call_that_comes_again_after_its_undo_is_refused(shop, key):
    shop.take(key)
    shop.give_back(key)
    with pytest.raises(Refused):
        shop.take(key)
    assert shop.left == 10


def test_a_refusal_of_the_effect_leaves_nothing_and_is_judged_anew(shop, key):
    with pytest.raises(Refused, match=r"^only 10 are left$"):
        shop.take(key, 11)
    shop.client.set(shop.stock, 11)
    assert shop.take(key, 11) == "11"
    assert shop.left == 0


@pytest.mark.parametrize(
    "effect",
    [
        "redis.call('LPUSH', KEYS[1], 'x')",
        "return redis.pcall('LPUSH', KEYS[1], 'x')",
        "return redis.error_reply('WRONGTYPE of its own')",
    ],
)
def test_an_effect_that_fails_leaves_no_state(shop, key, effect):
    for act in (shop.barrier.make, shop.barrier.undo):
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            act(key, effect, keys=[shop.stock])
        assert shop.take(key) == "3"  # the state is as before: none, and then in force
    assert shop.give_back(key)
    assert shop.left == 10


def test_different_keys_are_different_effects(shop, key):
    shop.take(f"{key}:1")
    shop.give_back(f"{key}:2")
    shop.take(f"{key}:3")
    assert shop.left == 4


def test_calls_and_undos_at_once_make_one_effect_at_most(shop, key):
    def attempt(act):
        try:
            return act(key)
        except Refused:
            return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(attempt, [shop.take] * 8 + [shop.give_back] * 8))
    assert shop.left == 10
    assert told.count(True) == (1 if "3" in told else 0)


@pytest.mark.parametrize(
    ("effect", "answer"),
    [
        ("", None),
        ("return nil", None),
        ("return false", None),
        ("return 7", "7"),
        ("return 'ä' -- a comment", "ä"),
        ("return redis.call('SET', KEYS[1], 1)", "OK"),
        ("return cjson.encode({id = ARGV[1]})", '{"id":"a"}'),
    ],
)
def test_an_answer_is_a_string_or_none(shop, key, effect, answer):
    for _ in range(2):
        assert shop.barrier.make(key, effect, keys=[shop.stock], args=["a"]) == answer


def test_a_state_is_forgotten_a_year_after_its_last_change(shop, key):
    shop.take(key)
    state = f"amends:barrier:{key}"
    assert AGE - 3600 < shop.client.ttl(state) <= AGE
    shop.client.expire(state, 1000)
    shop.take(key)
    assert shop.client.ttl(state) <= 1000  # a duplicate is no change
    shop.give_back(key)
    assert AGE - 3600 < shop.client.ttl(state) <= AGE
    shop.give_back(f"{key}:null")
    assert AGE - 3600 < shop.client.ttl(f"{state}:null") <= AGE


def test_a_younger_age_than_the_least_is_refused_unless_told(client):
    with pytest.raises(ValueError, match="may be that of a saga that still runs"):
        RedisBarrier(client, keep_for=LEAST_AGE - 1)
    RedisBarrier(client, keep_for=10, least=9)


@pytest.mark.parametrize("key", [None, "", "a\n"])
def test_what_is_no_idempotency_key_is_refused(client, key):
    barrier = RedisBarrier(client)
    for act in (barrier.make, barrier.undo):
        with pytest.raises(ValueError, match="1 to 512 printable characters"):
            act(key, "")


@pytest.mark.parametrize("client", [redis.asyncio.Redis, redis.asyncio.RedisCluster])
def test_a_client_for_asyncio_is_refused(client):
    with pytest.raises(TypeError, match="this is one for asyncio"):
        RedisBarrier(client.from_url("redis://localhost"))


@pytest.mark.servers
def test_a_cluster_has_the_state_where_the_effect_is(tmp_path, key):
    with own_cluster(tmp_path, primaries=2) as cluster:
        node = cluster.url.partition(";")[0].replace("redis+cluster", "redis")
        client = redis.RedisCluster.from_url(node)
        for number in range(10):
            part = f"{key}:{number}"
            shop = Shop(client, part, prefix=f"{{{part}}}:")
            assert [shop.take(part), shop.take(part)] == ["3", "3"]
            assert shop.give_back(part)
            assert shop.left == 10
        client.close()


@pytest.mark.parametrize("number", [987654321012345, 2**53, -7, 0])
def test_a_large_number_is_kept_as_it_is(shop, key, number):
    shop.client.set(shop.stock, number - 1)
    made = [
        shop.barrier.make(key, "return redis.call('INCR', KEYS[1])", keys=[shop.stock])
        for _ in range(2)
    ]
    assert made == [str(number)] * 2
    assert shop.barrier.undo(key, "redis.call('SET', KEYS[1], ANSWER)", keys=[shop.stock])
    assert shop.left == number


def test_an_undo_that_refuses_is_no_undo(shop, key):
    shop.take(key)
    with pytest.raises(ResponseError, match="an undo cannot be refused: no"):
        shop.barrier.undo(key, "return {refused = 'no'}")
    assert shop.give_back(key)
