"""What each reply of a Redis means, as the servers word it."""

import pytest
import redis

from amends import ConfigurationError, LogUnavailable
from amends.backend.redis_errors import code_of, explained, is_demoted

# As Redis 6.2 words the error of a command in a script; since 7.0 the reply is the command's own.
OF_A_SCRIPT = "ERR Error running script (call to f_0afd6381b7bc7e087629b058a114888865e2f312): @user_script:12:"
AWAY = {
    "BUSY": "is busy",
    "CLUSTERDOWN": "cluster",
    "EXECABORT": "transaction",
    "LOADING": "loading",
    "MASTERDOWN": "lost its primary",
    "MISCONF": "disk",
    "NOAUTH": "refuses the user or the password",
    "NOPERM": "denies the user a right",
    "NOREPLICAS": "min-replicas-to-write",
    "NOSCRIPT": "lost its scripts",
    "OOM": "is full",
    "READONLY": "is a replica",
    "TRYAGAIN": "moves its keys",
    "UNBLOCKED": "was demoted",
    "WRONGPASS": "refuses the user or the password",
}
WRONG = {"CROSSSLOT": "cluster", "WRONGTYPE": "other data"}
WORDS = "The words of a reply say nothing: OOM, READONLY, LOADING."


@pytest.fixture
def answer(redis_url):
    """Have Redis answer so, and return redis-py's error."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:

        def answer(reply, *, pipelined=False):
            script = ("return redis.error_reply(ARGV[1])", 0, reply)
            ask = client.pipeline(transaction=False).eval(*script).execute
            with pytest.raises(redis.RedisError) as raised:
                ask() if pipelined else client.eval(*script)
            return raised.value

        yield answer


@pytest.mark.parametrize("pipelined", [False, True], ids=["alone", "in a pipeline"])
@pytest.mark.parametrize("code", [*AWAY, *WRONG])
def test_a_reply_means_what_its_code_says(answer, code, pipelined):
    error = answer(f"{code} {WORDS}", pipelined=pipelined)
    told = explained(error, "the saga log")
    assert type(told) is (LogUnavailable if code in AWAY else ConfigurationError)
    assert str(told).startswith("the saga log: the Redis at amends_backend ")
    assert {**AWAY, **WRONG}[code] in str(told)
    assert (WORDS in str(told)) is (code == "NOPERM")  # which names the user, and what it lacks


@pytest.mark.parametrize("code", ["OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN"])
def test_so_does_the_error_of_a_script_on_redis_62(answer, code):
    error = answer(f"{OF_A_SCRIPT} @user_script: 12: -{code} {WORDS}")
    assert code_of(error) == code
    assert type(explained(error, "the saga log")) is LogUnavailable


def test_a_wrong_kind_of_key_in_a_script_on_redis_62_is_one(answer):
    error = answer(f"{OF_A_SCRIPT} WRONGTYPE {WORDS}")
    assert code_of(error) == "WRONGTYPE"


@pytest.mark.parametrize(
    "reply",
    [
        f"ERR {WORDS}",
        f"{OF_A_SCRIPT} user_script:12: OOM {WORDS}",
        f"{OF_A_SCRIPT} @user_script: 12: Unknown Redis command called from Lua script",
        f"MINE {WORDS}",
    ],
)
def test_an_error_without_a_known_code_is_told_in_redis_own_words(answer, reply):
    told = explained(answer(reply), "the saga log")
    assert type(told) is ConfigurationError
    assert "refused a request: " in str(told)
    assert reply.removeprefix("ERR ") in str(told)


@pytest.mark.parametrize("code", [*AWAY, *WRONG])
def test_a_demoted_redis_alone_is_left_for_another_one(answer, code):
    assert is_demoted(answer(f"{code} {WORDS}")) is (code in ("READONLY", "MASTERDOWN"))


@pytest.mark.parametrize("reply", ["MOVED 7 127.0.0.1:7000", "ASK 7 127.0.0.1:7000"])
def test_a_node_of_a_cluster_is_no_place_for_the_log(answer, reply):
    told = explained(answer(reply), "the saga log")
    assert type(told) is ConfigurationError
    assert "is a part of a cluster" in str(told)
    assert f"({reply.split()[0]})" in str(told)


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("refused"), redis.TimeoutError("refused"), OSError("refused")]
)
def test_a_redis_that_does_not_answer_cannot_be_reached(error):
    told = explained(error, "circuit breaker 'payments'")
    assert type(told) is LogUnavailable
    assert str(told) == "circuit breaker 'payments' at amends_backend cannot be reached: refused"


def test_a_redis_with_too_many_clients_cannot_be_reached(answer):
    told = explained(answer("ERR max number of clients reached"), "the saga log")
    assert str(told).endswith("cannot be reached: max number of clients reached")
