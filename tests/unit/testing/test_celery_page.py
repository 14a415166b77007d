"""docs/from-celery.md: its twelve sagas end as it says, and what it shows of today's Celery is Celery."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "from-celery.md").read_text(encoding="utf-8")
MODELS = """
from unittest.mock import MagicMock

from django.conf import settings

settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
Order = MagicMock()
Order.return_value.pk = Order.objects.create.return_value.pk = "order-1"
"""


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def sections():
    """Return the page's chapters by their headings."""
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def files():
    """Return the modules that the page consists of: in each pattern the first code is today's, the rest the saga's."""
    chapters = sections()
    clients, tasks, shop = blocks(chapters.pop("The shop"))
    moving = blocks(chapters.pop("Moving a system that runs"))
    today, sagas = [tasks], [shop]
    for chapter in chapters.values():
        before, *after = blocks(chapter)
        today.append(before)
        sagas += after
    return {
        "clients.py": clients,
        "models.py": MODELS,
        "tasks.py": "\n\n".join(["import models", *today]),
        "shop.py": "\n\n".join([*sagas, *moving]),
    }


def test_it_has_twelve_patterns_with_a_line_each_in_its_table():
    numbers = [int(title.partition(".")[0]) for title in sections() if title[0].isdigit()]
    assert numbers == list(range(1, 13))
    assert [int(number) for number in re.findall(r"\| \[(\d+)\]\(#", PAGE)] == numbers


@pytest.mark.parametrize("tests", ["rehearsed_shop.py", "today_in_celery.py"])
def test_its_code_runs_as_it_stands(tmp_path, tests):
    for name, text in files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / f"test_{tests}").write_text((HERE / "from_celery" / tests).read_text())
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
