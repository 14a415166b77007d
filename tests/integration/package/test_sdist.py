"""The source distribution: it is the checkout, and what it says of itself holds."""

import re
import tarfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

GENERATED = re.compile(r"PKG-INFO|setup\.cfg|amends\.egg-info/.*")
LEFT_OUT = {".ci/run", ".gitignore"}


@pytest.fixture(scope="session")
def held(sdist: Path) -> dict[str, bytes]:
    """Return its files by their paths in the checkout."""
    with tarfile.open(sdist) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read() for member in files
        }


@pytest.fixture(scope="session")
def metadata(held: dict[str, bytes]) -> Message:
    return message_from_string(held["PKG-INFO"].decode())


def test_it_holds_the_checkout_but_for_the_script_of_ci(held, source):
    files = {
        str(path.relative_to(source)): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file()
    }
    ours = {name: text for name, text in held.items() if not GENERATED.fullmatch(name)}
    assert files.keys() - ours.keys() == LEFT_OUT
    assert ours.items() <= files.items()


def test_a_version_of_python_that_it_names_was_run(metadata, held):
    named = re.findall(
        r"Python :: (3\.\d+)$", "\n".join(metadata.get_all("Classifier")), re.MULTILINE
    )
    run = re.findall(r"^\| (3\.\d+)\.\d+ \|", held["docs/proof.md"].decode(), re.MULTILINE)
    assert sorted(named) == sorted(run)
    assert metadata["Requires-Python"] == f">={named[0]}"


def test_its_description_is_the_readme(metadata, held):
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == held["README.md"].decode().strip()
