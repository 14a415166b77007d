"""Two hours of scrapes of a real exporter, which promtool judges the alert rules by."""

from collections.abc import Callable, Sequence

from celery import Celery
from prometheus_client.parser import text_string_to_metric_families

from amends.telemetry.prometheus import scrape, text
from tests.integration.telemetry.prometheus.rules import RULES, Promtool, judged
from tests.support.promql import selectors

MINUTES = 120


class Film:
    """What an exporter of an app showed, minute by minute; a minute without it shows nothing."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._minutes: list[dict[str, float]] = []

    def shoot(self, minutes: int = 1, *, app: Celery | None = None) -> None:
        """Scrape once, and let Prometheus see that for so many minutes."""
        shown = {
            _series(sample.name, sample.labels): sample.value
            for family in text_string_to_metric_families(text(scrape(app or self.app)))
            for sample in family.samples
        }
        self._minutes += [shown] * minutes

    def pause(self, minutes: int) -> None:
        """Have no exporter for so many minutes."""
        self._minutes += [{}] * minutes

    def of(self, fault: Callable[[], object], *, lasts: int = 15) -> "Film":
        """Shoot a quiet time, then what follows a fault, for so many minutes until the end."""
        self.shoot(MINUTES - lasts)
        fault()
        self.shoot(lasts)
        return self

    def judge(
        self, promtool: Promtool, *, fires: Sequence[str] = (), silent: Sequence[str] = ()
    ) -> None:
        """Hold that these alerts fire at its end, and that those never did."""
        assert len(self._minutes) == MINUTES
        cases = {name: [judged(name, self._shown_to(name), fires=True)] for name in fires}
        cases |= {name: [judged(name, self._shown_to(name), fires=False)] for name in silent}
        promtool.test(cases)

    def _shown_to(self, name: str) -> dict[str, str]:
        """Write the series that an alert asks for."""
        asked = {each.name for each in selectors(RULES[name]["expr"])}
        found = {series for shown in self._minutes for series in shown}
        return {
            series: " ".join(
                f"{shown[series]!r}" if series in shown else "_" for shown in self._minutes
            )
            for series in found
            if series.partition("{")[0] in asked
        }


def _series(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
