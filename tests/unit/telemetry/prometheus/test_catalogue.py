"""The names of the metrics: https://prometheus.io/docs/practices/naming/."""

import re
from pathlib import Path

import pytest

from amends.telemetry.prometheus.catalogue import METRICS
from amends.telemetry.prometheus.families import Families

LABELS = {
    "saga",
    "step",
    "channel",
    "outcome",
    "status",
    "result",
    "act",
    "cause",
    "breaker",
    "state",
    "queue",
    "worker",
    "schedule",
}
COUNTED = (
    "sagas",
    "workers",
    "messages",
    "failures",
    "openings",
    "due",
    "waiting",
    "paused",
    "starts",
)  # what a gauge without a unit counts


@pytest.fixture(params=METRICS, ids=lambda metric: metric.name)
def metric(request):
    return request.param


def test_no_two_have_one_name():
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_a_name_ends_in_its_unit(metric):
    endings = {
        "counter": "_total",
        "histogram": "_seconds",
        "gauge": ("_seconds", "_bytes", "_up", "_state", *COUNTED),
    }
    assert metric.name.startswith("amends_")
    assert metric.name.endswith(endings[metric.kind])
    assert re.fullmatch(r"[a-z_]+", metric.name)


def test_its_labels_are_bounded_by_what_is_defined(metric):
    assert set(metric.labels) <= LABELS
    assert len(set(metric.labels)) == len(metric.labels)


def test_it_tells_what_it_is_in_a_sentence(metric):
    assert re.fullmatch(r"[A-Z1].{20,}\.", metric.tells)


def test_a_scrape_has_all_of_them_in_order_with_their_help_and_kind():
    shown = list(Families())
    assert [each.name for each in shown] == [m.name.removesuffix("_total") for m in METRICS]
    assert [each.type for each in shown] == [m.kind for m in METRICS]
    assert [each.documentation for each in shown] == [m.tells for m in METRICS]


def test_the_docs_have_the_same_table():
    page = Path(__file__).parents[4] / "docs" / "monitoring.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if "| `amends_" in line]
    written = [row for row in rows if re.search(r"\| (counter|gauge|histogram) \|", row)]
    assert written == [
        f"| `{m.name}` | {m.kind} | {', '.join(m.labels)} | {m.tells} |" for m in METRICS
    ]
