"""Whether sagas take the fast path in this environment, and why not."""

from collections.abc import Iterator, Mapping

from amends.backend.fast_path import shortcuts_off
from amends.backend.settings import Settings
from amends.diagnosis.deployment.findings import Finding, Problem, Severity, warning


@warning("config.fast_path", fine="sagas take the fast path")
def off(shortcuts: Mapping[str, str]) -> Iterator[Problem]:
    """Find the shortcuts that cannot be taken, each with the reason."""
    for name, why in shortcuts.items():
        yield Problem(
            what=f"the fast path for {name} is off: {why}",
            where="the installed versions of Celery, kombu and redis-py",
            remedy="nothing has to be done: sagas run by these libraries' own calls, at more cost; or install versions"
            " that the README names, or set amends_fast_path = False to be told no more",
        )


def look(settings: Settings) -> Iterator[Finding]:
    """Say which way sagas go, and why."""
    if settings.fast_path:
        yield from off.apply(shortcuts_off())
        return
    said = "sagas go by the libraries' own calls: amends_fast_path is False"
    yield Finding(code=off.code, severity=Severity.OK, what=said)
