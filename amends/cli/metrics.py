"""The metrics, served to Prometheus or printed."""

from importlib import import_module
from typing import Any

import click

from amends.cli.command import command
from amends.cli.output import Output
from amends.errors import SagaError
from amends.log.history import printable


@command("metrics")
@click.option("--port", type=click.IntRange(0, 65535), default=9808, show_default=True)
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="0.0.0.0 for all of this machine's."
)
@click.option("--once", is_flag=True, help="Print them and end, as for a textfile collector.")
def serve_metrics(output: Output, *, port: int, address: str, once: bool) -> None:
    """Serve metrics to Prometheus, until Ctrl-C.

    They are read from the log each time Prometheus asks. One such process does, wherever it runs; a second
    one would show the same. A log that cannot be read has amends_log_up 0, and the reason is on standard error: with
    --once the exit code is 5 then. With --once and --json, one line for each sample: name, labels and value.
    """
    # A face imports no other, and this one needs an extra.
    metrics: Any = import_module("amends.telemetry.prometheus")
    if once:
        _print_once(output, metrics)
        return
    with metrics.MetricsServer(output.app, port=port, address=address) as server:
        if output.as_json:
            output.json({"url": server.url})
        else:
            output.line(f"metrics are at {server.url}; Ctrl-C ends this")
        try:
            output.note_if_empty()
        except SagaError as error:  # Prometheus is told too, and the log may come back
            output.line(f"amends_log_up is 0: {printable(str(error))}", err=True)
        metrics.wait_for_the_end()


def _print_once(output: Output, metrics: Any) -> None:
    """Print the metrics. Raises why the saga log cannot be read, after those that say that it cannot."""
    found = metrics.scrape(output.app)
    if output.as_json:
        for sample in metrics.samples(found):
            output.json(sample)
    else:
        output.screen(metrics.text(found).splitlines(), anew=False)
    if found.log_error is not None:
        raise found.log_error
    output.note_if_empty()
