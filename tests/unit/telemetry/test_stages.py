"""What metrics, log lines and signals tell of the items of a step."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from amends.telemetry.prometheus import SagaCollector
from amends.telemetry.signals import saga_completed
from tests.support.app import in_process_app
from tests.support.sagas.fulfilment import Moves


@pytest.fixture
def app():
    with in_process_app("shop") as app:
        yield app


@pytest.fixture
def parcels(app):
    return Moves(app)


def labels_of_steps(app):
    registry = CollectorRegistry()
    registry.register(SagaCollector(app))
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {sample.labels["step"] for sample in samples if "step" in sample.labels}


def test_metrics_have_a_label_for_a_step_and_none_for_an_item(app, parcels):
    parcels.be_stuck("o-1", parcels=4, at=(2,))
    parcels.log.control.skip_step(
        "o-1", "ship[2]", output="", actor={"by": "ada", "why": "by hand"}
    )
    parcels.ship_first("o-2")
    parcels.put_off("o-2", "ship[1]", wait=1.0)
    parcels.log.claim_step("o-2", "ship[2]", token="old", owner="", retries=0)
    parcels.log.complete_step("o-2", "ship[2]", token="late", output="null", link="")
    assert labels_of_steps(app) == {"reserve", "score", "authorize", "pick", "ship", "bill"}


def test_log_lines_name_the_item(parcels, caplog):
    with caplog.at_level(logging.INFO, logger="amends.sagas"):
        parcels.ship_first("o-1")
        parcels.do("o-1", "ship[2]")
    lines = [record for record in caplog.records if getattr(record, "step", "") == "ship[2]"]
    assert [record.event for record in lines] == ["step.started", "step.completed"]


def test_a_saga_is_told_as_completed_once(parcels):
    told = []

    def note(saga_id, **_):
        told.append(saga_id)

    saga_completed.connect(note)
    try:
        parcels.ship_first("o-1")
        parcels.do("o-1", "ship[1]", "ship[2]", "ship[3]", "bill")
    finally:
        saga_completed.disconnect(note)
    assert told == ["o-1"]
