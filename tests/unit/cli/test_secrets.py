"""No face shows a secret of an input or an output."""

import json
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, PlainSerializer, SecretStr

import amends
from amends import Saga, Step, activity
from amends.diagnosis.saga.payloads import UNKNOWN
from amends.errors import DefinitionError
from tests.support.console import users_file, visiting

Hidden = Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]


class Purchase(BaseModel):
    buyer: str
    card: Hidden
    pin: str = Field(json_schema_extra={"amends": "secret"})


class Receipt(BaseModel):
    text: str
    token: str = Field(json_schema_extra={"amends": "secret"})


class Bought(BaseModel):
    outcome: str


SEEN: list[str] = []


@activity
def charge_card(purchase: Purchase) -> Receipt:
    SEEN.append(purchase.card.get_secret_value() + purchase.pin)
    return Receipt(text="thank you", token="tok-77")


def saga_of(**how):
    steps = [Step(charge_card, compensation=None)]
    return Saga("secret_purchase", input=Purchase, output=Bought, steps=steps, **how)


purchase_saga = saga_of()


@pytest.fixture
def bought(app):
    app.conf.task_always_eager = True
    purchase = Purchase(buyer="ada", card=SecretStr("4111-1111"), pin="9876")
    purchase_saga.start(purchase, saga_id="p-1")
    app.conf.task_always_eager = False


def test_an_activity_gets_the_secret_itself(bought):
    assert SEEN[-1] == "4111-11119876"


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_command_line_shows_no_secret(run, bought, how):
    shown = run("show", "p-1", "--input", "--output", *how).stdout
    assert "ada" in shown
    assert "thank you" in shown
    for secret in ("4111", "9876", "tok-77"):
        assert secret not in shown


def test_the_console_shows_no_secret_to_anybody(app, bought, tmp_path):
    app.conf.amends_console = {"users": str(users_file(tmp_path))}
    with visiting(app, "admin") as client:
        page = client.get("/sagas/p-1").text
    assert "thank you" in page
    for secret in ("4111", "9876", "tok-77"):
        assert secret not in page


def test_other_faces_and_the_history_have_no_payload_at_all(app, run, bought):
    faces = [run(each, "p-1", "--json").stdout for each in ("show", "explain", "history")]
    faces += [run("list", "--json").stdout, repr(amends.get("p-1").snapshot())]
    assert not [each for each in faces if "4111" in each or "9876" in each or "tok-77" in each]


def test_a_payload_whose_code_is_not_here_is_hidden(run, bought, monkeypatch, app):
    monkeypatch.setattr("amends.diagnosis.saga.payloads.known_input", lambda _: None)
    monkeypatch.delitem(app.tasks, charge_card.name)
    shown = json.loads(run("show", "p-1", "--input", "--output", "--json").stdout)
    assert (shown["input"], shown["outputs"]) == (UNKNOWN, {"charge_card": UNKNOWN})


def test_a_saga_is_not_found_by_a_secret():
    with pytest.raises(DefinitionError, match="which is a secret: an index would show"):
        saga_of(search={"pin": "input.pin"})
