"""The examples of docs/testing.md, and of "Test it" in other pages, as a reader runs them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def examples(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def containing(page, text):
    return next(each for each in examples(page) if text in each)


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"test_stay.py": ("docs/testing.md", "stay_saga = Saga(")}, "5 passed"),
        (
            {
                "trips.py": ("docs/guide.md", "trip_saga = Saga("),
                "test_trips.py": ("docs/guide.md", "rehearsal.at(trip_saga"),
            },
            "2 passed",
        ),
        (
            {
                "leave.py": ("docs/waiting.md", "leave_saga = Saga("),
                "test_leave.py": ("docs/waiting.md", "rehearsal.run(leave_saga"),
            },
            "3 passed",
        ),
        (
            {
                "settle.py": ("docs/schedules.md", "nightly_settlement = Schedule("),
                "test_settle.py": ("docs/schedules.md", "rehearsal.use(nightly_settlement)"),
                "test_nights.py": ("docs/testing.md", "rehearsal.use(nightly_settlement)"),
            },
            "6 passed",
        ),
        (
            {
                "shop.py": ("docs/barrier.md", "order_saga = Saga("),
                "test_shop.py": ("docs/barrier.md", "test_a_lost_reply"),
            },
            "4 passed",
        ),
        (
            {
                "shop.py": ("docs/async.md", "order_saga = Saga("),
                "test_shop.py": ("docs/async.md", "TestClient(api)"),
            },
            "2 passed",
        ),
        (
            {
                "shop.py": ("docs/outbox.md", "order_saga = Saga("),
                "test_shop.py": ("docs/outbox.md", "test_an_order_that_is_rolled_back"),
            },
            "2 passed",
        ),
    ],
    ids=["testing", "guide", "waiting", "schedules", "barrier", "async", "outbox"],
)
def test_it_passes_as_it_stands(tmp_path, files, verdict):
    for name, (page, text) in files.items():
        (tmp_path / name).write_text(containing(page, text))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert verdict in run.stdout, run.stdout
