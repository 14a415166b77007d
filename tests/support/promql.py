"""What a query asks of the metrics, by promql-parser."""

import promql_parser

from amends.telemetry.prometheus.catalogue import METRICS

PARTS = ("", "_bucket", "_sum", "_count")
SERIES = {
    metric.name + part: metric
    for metric in METRICS
    for part in (PARTS[1:] if metric.kind == "histogram" else PARTS[:1])
}


def selectors(expression):
    """List what a query selects: series and the matchers of their labels."""
    found = []

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
