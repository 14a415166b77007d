"""The end of a run: what was kept is delivered, though a server is late to answer."""

from types import SimpleNamespace

import pytest

from amends import LogUnavailable
from tests.chaos import rest
from tests.chaos.queues import BrokerAway, Message

KEPT = [Message(queue="orders", task_id=name, raw=b"") for name in "ab"]


class LateQueues:
    """Queues of a broker that is late to answer each second time."""

    def __init__(self):
        self.asked = 0
        self.put_again = []

    def put(self, message):
        self._ask()
        self.put_again.append(message)

    def lengths(self):
        self._ask()
        return {"orders": 0}

    def _ask(self):
        self.asked += 1
        if self.asked % 2:
            raise BrokerAway("timed out")


def test_what_was_kept_is_delivered_though_the_broker_is_late(monkeypatch):
    monkeypatch.setattr(rest, "TICK", 0.001)
    monkeypatch.setattr(rest, "STILL", 0.01)
    queues, told = LateQueues(), []
    events = SimpleNamespace(write=lambda what, **details: told.append((what, details)))
    rest.deliver_again(SimpleNamespace(kept=KEPT, queues=queues, events=events))
    assert queues.put_again == KEPT
    assert told == [("delivered_again", {"count": 2})]
    assert queues.asked > 5  # the queues were counted


@pytest.mark.parametrize("error", [BrokerAway, LogUnavailable])
def test_a_server_that_stays_away_is_told(error, monkeypatch):
    monkeypatch.setattr(rest, "TICK", 0.001)
    monkeypatch.setattr(rest, "REST_WITHIN", 0.01)

    def ask():
        raise error("away")

    with pytest.raises(error):
        rest.insist(ask)
