"""The alert rules and the dashboard: they parse, and ask for what a scrape of a real log shows."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from click import Context
from ruamel.yaml import YAML

from amends.telemetry.prometheus import breaker_metrics, catalogue
from amends.telemetry.prometheus.catalogue import METRICS
from amends_commands import saga as commands
from tests.support.promql import SERIES, selectors

FOLDER = Path(__file__).parents[4] / "monitoring"
GROUPS = YAML(typ="safe").load(FOLDER / "alerts.yml")["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RUNBOOKS = dict(
    re.findall(
        r"^### (\w+)\n(.*?)(?=^##|\Z)",
        (FOLDER.parent / "docs" / "monitoring.md")
        .read_text(encoding="utf-8")
        .partition("\n## Alerts\n")[2],
        re.MULTILINE | re.DOTALL,
    )
)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {"$__rate_interval": "5m", "$saga": ".*"}
VALUES = {  # of the labels that have few
    "status": {"pending", "running", "compensating", "completed", "compensated", "stuck"},
    "state": {
        "closed",
        "open",
        "half_open",
        "forced_open",
        "disabled",
        "running",
        "paused",
        "left",
        "waiting",
        "failing",
    },
    "cause": {"refused", "failed", "unanswered", "timed_out", "cancelled", "child", "parent"},
    "channel": {"primary", "fallback"},
    "result": {"done", "retried", "failed", "stuck", "fired", "late", "skipped", "missed"},
}


def queries() -> Iterator[tuple[str, str]]:
    for name, rule in ALERTS.items():
        yield f"alert {name}", rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield f"panel {panel['title']} {target['refId']}", expression


QUERIES = dict(queries())


@pytest.fixture(params=QUERIES)
def query(request):
    return QUERIES[request.param]


@pytest.fixture(params=ALERTS)
def alert(request):
    return ALERTS[request.param]


@pytest.fixture(params=PANELS, ids=lambda panel: panel["title"])
def panel(request):
    return request.param


def test_a_query_parses_and_asks_for_what_a_scrape_shows(query, scrape):
    asked = selectors(query)
    assert asked
    lacking = {each.name for each in asked if not scrape.has(each.name)}
    assert lacking <= {"amends_verifications_total"}  # no step of these sagas is verified


def test_a_query_matches_labels_and_values_that_there_are(query):
    for selector in selectors(query):
        known = set(SERIES[selector.name].labels)
        for matcher in selector.matchers.matchers:
            assert matcher.name in known, selector
            values = set(matcher.value.split("|"))
            assert values <= VALUES.get(matcher.name, values), selector


def test_a_query_groups_by_labels_that_there_are(query):
    known = {label for each in selectors(query) for label in SERIES[each.name].labels} | {"le"}
    named = [re.split(r"\s*,\s*", each) for each in re.findall(r"by \(([^)]*)\)", query)]
    assert {label for labels in named for label in labels} <= known


def test_a_counter_is_asked_for_its_rate_and_a_gauge_never(query):
    text = promql_parser.parse(query).prettify().replace("\n", " ")
    for selector in selectors(query):
        rated = re.search(rf"(rate|increase)\(\s*{selector.name}\b", text) is not None
        assert rated == (SERIES[selector.name].kind != "gauge"), selector


def test_an_alert_has_a_severity_a_summary_and_a_command_to_type(alert):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert "`celery -A tasks " in alert["annotations"]["description"]


def test_the_runbook_of_an_alert_is_its_heading_in_the_docs_with_what_to_do(alert):
    name = alert["alert"]
    base = "{{ with $externalLabels.amends_repository }}{{ . }}/{{ end }}"
    assert alert["annotations"]["runbook_url"] == f"{base}docs/monitoring.md#{name.lower()}"
    assert len(RUNBOOKS[name]) > 100
    for command in re.findall(r"`saga (\w+)", RUNBOOKS[name]):
        assert commands.get_command(Context(commands), command) is not None, command


def test_each_runbook_is_of_an_alert():
    assert RUNBOOKS.keys() == ALERTS.keys()


def test_severities_grow_with_number_and_age():
    pairs = {
        "SagasStuck": ("ManySagasStuck", "SagaStuckForLong"),
        "SagaDoesNotEnd": ("CompensationDoesNotEnd",),
        "SagasFail": ("MostSagasFail",),
        "TaskUnknownToWorkers": ("TaskUnknownForLong",),
        "OutboxStartsFail": ("OutboxStartsFailForLong",),
        "SagaLogFills": ("SagaLogNearlyFull",),
    }
    for less, more in pairs.items():
        assert ALERTS[less]["labels"]["severity"] == "warning"
        assert {ALERTS[name]["labels"]["severity"] for name in more} == {"critical"}


def test_a_command_that_an_alert_names_is_there_and_takes_its_options(alert):
    text = re.sub(r"{{ \$labels\.status }}", "running", alert["annotations"]["description"])
    for line in re.findall(r"`celery -A tasks saga ([^`]+)`", text):
        name, *arguments = shlex.split(line)
        command = commands.get_command(Context(commands), name)
        assert command is not None, name
        if arguments:
            command.make_context(name, arguments)


def test_an_alert_tells_only_labels_that_its_query_leaves(alert):
    told = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", alert["expr"]))))
    bare = {label for each in selectors(alert["expr"]) for label in SERIES[each.name].labels}
    assert told <= (grouped or bare)


def test_what_a_person_must_see_has_an_alert():
    asked = {each.name for rule in ALERTS.values() for each in selectors(rule["expr"])}
    expected = {
        catalogue.SAGAS,
        catalogue.OLDEST,
        catalogue.SWEEP_LAG,
        catalogue.WORKERS,
        catalogue.ENDED,
        catalogue.FALLBACKS,
        breaker_metrics.STATE,
        catalogue.LOG_UP,
        catalogue.QUEUE_MESSAGES,
    }
    assert {metric.name for metric in expected} <= asked


def test_the_dashboard_shows_every_metric():
    asked = {
        SERIES[each.name] for name, q in QUERIES.items() if "panel" in name for each in selectors(q)
    }
    assert {metric.name for metric in METRICS} == {metric.name for metric in asked}


def test_a_panel_says_what_it_shows_and_in_which_unit(panel):
    assert panel["title"]
    assert panel["description"].endswith(".") or "celery -A tasks" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])
    assert panel["datasource"]["uid"] == "${datasource}"


def test_the_choice_of_sagas_is_a_label_that_there_is():
    [query] = [
        each["query"]["query"] for each in DASHBOARD["templating"]["list"] if each["name"] == "saga"
    ]
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()
    assert label in SERIES[name].labels


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_prometheus_is_told_of_the_rules_and_of_the_port_that_the_command_has():
    config = YAML(typ="safe").load(FOLDER / "prometheus.yml")
    assert config["rule_files"] == ["alerts.yml"]
    [[target]] = [
        each["targets"] for job in config["scrape_configs"] for each in job["static_configs"]
    ]
    command = commands.get_command(Context(commands), "metrics")
    defaults = {param.name: param.default for param in command.params}
    assert target == f"{defaults['address']}:{defaults['port']}"
