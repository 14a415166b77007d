"""The dashboard is one by Grafana's own schema."""

import copy
import json
from pathlib import Path

import pytest

from tests.support.grafana import faults_of

DASHBOARD = json.loads(
    (Path(__file__).parents[4] / "monitoring" / "dashboard.json").read_text(encoding="utf-8")
)
PANEL = next(k for k, panel in enumerate(DASHBOARD["panels"]) if panel["type"] == "stat")


def test_grafanas_schema_has_nothing_against_it():
    assert faults_of(DASHBOARD) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda panel: panel.update(titel="x"), "titel is unknown"),
        (lambda panel: panel.update(title=3), "title: 3 is no"),
        (lambda panel: panel["gridPos"].update(h="4"), "grid_pos.h: '4' is no"),
        (lambda panel: panel["targets"][0].update(exp="up"), "exp is unknown"),
        (lambda panel: panel["targets"][0].update(expr=None), "expr: None is no"),
        (lambda panel: panel["options"].update(graphMode="pie"), "graph_mode: 'pie' is no"),
        (lambda panel: panel["options"].update(colour="red"), "colour is unknown"),
        (
            lambda panel: panel["fieldConfig"]["defaults"]["thresholds"].update(mode="share"),
            "mode: 'share' is no",
        ),
    ],
)
def test_what_grafana_does_not_know_is_found(change, fault):
    document = copy.deepcopy(DASHBOARD)
    change(document["panels"][PANEL])
    assert any(fault in each for each in faults_of(document)), faults_of(document)
