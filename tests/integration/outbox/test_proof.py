"""The short form of ``python -m tests.outbox``: web processes killed at every boundary, log and broker away."""

from io import StringIO

from rich.console import Console

from tests.outbox.run import Options, run


def test_o2_no_start_is_lost_or_doubled_or_a_ghost(tmp_path):
    console = Console(file=StringIO())
    options = Options(orders=100, kills=0.5, pace=0.1, outage=3.0)
    verdict = run(options, directory=tmp_path, console=console)
    verdict.print(console)
    assert verdict.passed, console.file.getvalue()
