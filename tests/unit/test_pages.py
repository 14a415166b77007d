"""The pages of the docs: their links lead somewhere, and their tables have what the code has."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from amends.backend.settings import OF_BACKEND, Settings
from amends.log.history import NAMES

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("deploy/*/*.md")),
]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page):
    """Return the names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_path_that_is_named_exists(page):
    for path in re.findall(r"`([\w.]+(?:/[\w.]+)+/?)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists() or (ROOT / "amends" / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_target_of_make_that_is_named_exists(page):
    targets = re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    for target in re.findall(
        r"(?:`|^(?:[A-Z]+=\S+ )*|^[A-Z_=a-z]+ )make ([a-z-]+)", text, re.MULTILINE
    ):
        assert target in targets


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_the_readme_leads_to_each_page(page):
    assert f"](docs/{page.name})" in text_of("README.md")


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= 170


def test_the_table_of_events_has_each_event():
    rows = re.findall(r"^\| (`(?:saga|step)\..*?) \|", text_of("docs/events.md"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert sorted(listed) == sorted(NAMES)


def test_the_table_of_settings_has_each_setting_with_its_default():
    page = text_of("docs/operating.md")
    rows = dict(re.findall(r"^\| `amends_(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    assert rows.keys() == {*(field.name for field in fields(Settings)), *OF_BACKEND}
    for field in fields(Settings):
        if field.default not in (None, MISSING):
            assert rows[field.name] == str(field.default)
