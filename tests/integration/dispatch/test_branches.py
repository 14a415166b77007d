"""The branches of a stage are published in one pass, each with the message that its canvas makes."""

import pytest

from amends.dispatch import canvas, fast_path
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.coordinator import publish, publish_branches
from amends.dispatch.fast_path import deliveries
from amends.dispatch.messages import TOKEN_HEADER
from amends.log.answers import Publish
from tests.support.published_messages import all_published, all_taken, app_with, purge
from tests.support.sagas.wide import each_of, wide_of

PACKED = each_of("packed")
WIDE = wide_of("wide_published")
MANY = 1_000


@pytest.fixture(params=["redis", "plain", "rabbitmq"])
def app(request, redis_url):
    broker = f"{redis_url}/4"
    if request.param == "rabbitmq":
        broker = request.getfixturevalue("rabbitmq_url")
    app = app_with(
        broker, amends_fast_path=request.param != "plain", amends_backend=f"{redis_url}/6"
    )
    purge(app)
    return app


def items(many, suffix="", *, saga=PACKED, first=98, tries=0):
    return [
        Publish(
            itinerary=saga.itinerary,
            number=first + n,
            wait=0.0,
            records=[(f"ship[{n}]{suffix}", tries)],
        )
        for n in range(1, many + 1)
    ]


def ids(found):
    return [each["headers"]["id"] for each in found]


@pytest.mark.parametrize("suffix", ["", ":undo"])
def test_each_message_is_the_one_that_its_canvas_makes(app, saga_id, suffix):
    chains = items(12, suffix)
    made = all_published(app, *((publish_canvas, saga_id, each) for each in chains))
    assert len(made[0]) == 12
    assert all_published(app, (publish_branches, saga_id, chains)) == made
    assert all_published(app, (publish_branches, saga_id, chains)) == made  # of what is kept
    for each in made[0]:
        number = each["headers"]["id"].partition("[")[2].partition("]")[0]
        assert each["body"][1]["step"] == f"ship[{number}]{suffix}"
        assert f"ship[{number}]{suffix}" in each["headers"]["kwargsrepr"]


def test_branches_of_several_steps_and_those_with_tries_are_what_their_canvases_make(app, saga_id):
    of = WIDE.itinerary
    chains = [
        Publish(itinerary=of, number=98, wait=0.0, records=[("b", 0), ("c", 2)]),
        Publish(itinerary=of, number=100, wait=0.0, records=[("d", 1)]),
        *items(3, tries=2, first=200),
        *items(2, first=300),
    ]
    made = all_published(app, *((publish_canvas, saga_id, each) for each in chains))
    found = all_published(app, (publish_branches, saga_id, chains))
    assert ordered(found[0]) == ordered(made[0])


def test_a_token_that_was_brought_is_in_the_first_message_of_its_chain_alone(app, saga_id):
    of = WIDE.itinerary
    lost = Publish(itinerary=of, number=98, wait=0.0, records=[("b", 0), ("c", 0)], brought="t-b")
    found, *_ = all_published(app, (publish_branches, saga_id, [lost, *items(2, first=300)]))
    by_id = {each["headers"]["id"].rpartition(".")[2]: each for each in found}
    assert by_id["b"]["headers"][TOKEN_HEADER] == "t-b"
    assert by_id.keys() == {"b", "ship[1]", "ship[2]"}
    (link,) = by_id["b"]["body"][2]["chain"]
    assert TOKEN_HEADER not in str([link, by_id["ship[1]"], by_id["ship[2]"]])


def ordered(found):
    return sorted(found, key=lambda each: each["headers"]["id"])


@pytest.mark.fast_path
def test_one_message_of_an_item_is_of_the_template_of_all(saga_id, redis_url, monkeypatch):
    app = app_with(f"{redis_url}/4", amends_backend=f"{redis_url}/6")
    purge(app)
    publish(app, saga_id, items(1)[0])
    monkeypatch.setattr(fast_path, "canvas", lambda *_: pytest.fail("another template is made"))
    for each in items(20):
        publish(app, saga_id, each)
    assert ids(all_taken(app)) == [f"{saga_id}.99.ship[1]"] + [
        f"{saga_id}.{98 + n}.ship[{n}]" for n in range(1, 21)
    ]


@pytest.mark.fast_path
def test_a_thousand_items_are_a_few_commands(saga_id, redis_url, monkeypatch):
    app = app_with(f"{redis_url}/4", amends_backend=f"{redis_url}/6")
    purge(app)
    publish(app, saga_id, items(1)[0])  # so that there is a connection
    commands, inner = [], fast_path.chain_template.asker

    def noting(client, **how):
        ask = inner(client, **how)

        def note(*command):
            commands.append(command[0])
            return ask(*command)

        return note

    monkeypatch.setattr(fast_path.chain_template, "asker", noting)
    publish_branches(app, saga_id, items(MANY))
    assert commands == ["LPUSH"] * 10
    assert len(all_taken(app)) == MANY + 1


@pytest.mark.fast_path
def test_the_message_of_an_item_is_delivered_as_it_is_published(saga_id, redis_url):
    """A link within a branch is the last but one of a fallback's undos."""
    app = app_with(f"{redis_url}/4", amends_backend=f"{redis_url}/6")
    purge(app)
    chain = items(1)[0]
    publish(app, saga_id, chain)
    (made,) = all_taken(app)
    (delivery,) = deliveries(app, [saga_id], chain)
    client = app.connection_for_write().default_channel.client
    client.lpush(delivery.destination[0], delivery.text)
    assert all_taken(app) == [made]


def test_without_the_fast_path_all_go_over_one_connection(saga_id, redis_url, monkeypatch):
    app = app_with(f"{redis_url}/4", amends_fast_path=False)
    purge(app)
    taken, inner = [], canvas.bounded

    def counting(*arguments, **how):
        taken.append(arguments)
        return inner(*arguments, **how)

    monkeypatch.setattr(canvas, "bounded", counting)
    publish_branches(app, saga_id, items(30))
    assert len(taken) == 1
    assert len(all_taken(app)) == 30


def route(name, args, kwargs, options, task=None, **_):
    """Have a bug for one item."""
    if kwargs.get("step", "").startswith("ship[2]"):
        raise KeyError("customer")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("of", ["redis", "rabbitmq"])
def test_a_route_that_raises_for_one_stops_no_other(request, redis_url, saga_id, fast, of):
    broker = f"{redis_url}/4" if of == "redis" else request.getfixturevalue("rabbitmq_url")
    app = app_with(broker, amends_fast_path=fast, task_routes=(route,))
    purge(app)
    with pytest.raises(Exception, match="customer"):
        publish_branches(app, saga_id, items(3))
    assert ids(all_taken(app)) == [f"{saga_id}.99.ship[1]", f"{saga_id}.101.ship[3]"]
