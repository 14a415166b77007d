"""The metrics, served to Prometheus or printed."""

from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from amends.cli.command import command
from amends.cli.output import Output
from amends.errors import LogUnavailable


@command("metrics")
@click.option("--port", type=click.IntRange(0, 65535), default=9808, show_default=True)
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="0.0.0.0 for all of this machine's."
)
@click.option("--once", is_flag=True, help="Print them and end, as for a textfile collector.")
def serve_metrics(output: Output, *, port: int, address: str, once: bool) -> None:
    """Serve metrics to Prometheus, until Ctrl-C.

    They are read from the log each time Prometheus asks. One such process does, wherever it runs; a second
    one would show the same. With --once and --json, one line for each sample: name, labels and value.
    """
    # A face imports no other, and this one needs an extra.
    metrics: Any = import_module("amends.telemetry.prometheus")
    if once:
        _note_if_empty(output)
    if once and output.as_json:
        for sample in metrics.samples(output.app):
            output.json(sample)
    elif once:
        output.screen(metrics.exposition(output.app).splitlines(), anew=False)
    else:
        with metrics.MetricsServer(output.app, port=port, address=address) as server:
            if output.as_json:
                output.json({"url": server.url})
            else:
                output.line(f"metrics are at {server.url}; Ctrl-C ends this")
            _note_if_empty(output)
            metrics.wait_for_the_end()


def _note_if_empty(output: Output) -> None:
    with suppress(LogUnavailable):  # a metric says so
        output.note_if_empty()
