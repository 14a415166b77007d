"""A message that is put off while the saga log is away."""

from types import SimpleNamespace

import pytest
from celery import Celery
from celery.exceptions import Retry

from amends import LogUnavailable
from amends.activities.postponement import put_off
from amends.dispatch.messages import TOKEN_HEADER


@pytest.fixture
def put_off_again():
    """Return a function that puts a message off and returns the headers that it has then."""
    app = Celery(broker="memory://")
    app.conf.amends_backend = "memory://postponed"

    def put(*tokens, headers=None):
        sent = []

        def signature(_request, *, headers, **_):
            return SimpleNamespace(apply_async=lambda **_: sent.append(headers))

        request = SimpleNamespace(headers=headers, id="o-1.1.pay")
        task = SimpleNamespace(app=app, request=request, signature_from_request=signature)
        with pytest.raises(Retry):
            put_off(task, tokens, LogUnavailable("away"))
        return sent[0]

    yield put
    app.close()


@pytest.fixture
def tokens_of(put_off_again):
    """Return a function that puts a message off and returns the tokens that it brings then."""
    return lambda *tokens: put_off_again(*tokens)[TOKEN_HEADER].split(",")


def test_a_message_brings_the_tokens_of_all_its_claims(tokens_of):
    assert tokens_of("a,b", "c") == ["a", "b", "c"]
    assert tokens_of("", "a") == ["a"]


def test_in_a_long_outage_it_brings_those_of_its_first_claims_and_of_its_last(tokens_of):
    tokens = [f"t{n}" for n in range(100)]
    assert tokens_of(",".join(tokens), "last") == [*tokens[:50], *tokens[51:], "last"]


def test_it_keeps_its_headers_but_for_those_by_which_rabbitmq_would_take_its_wait_for_a_cycle(
    put_off_again,
):
    kept = {"x-trace": "1", TOKEN_HEADER: "a"}
    deaths = {"x-death": [], "x-first-death-queue": "celery_delayed_0", "x-last-death-queue": "q"}
    assert put_off_again("a", headers={**kept, **deaths}) == kept
