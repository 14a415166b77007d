"""What mypy makes of right and wrong uses of the typed interface."""

import re
from pathlib import Path

import pytest
from mypy import api

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
USES, STEPS = HERE / "wrong_uses.py", HERE / "wrong_steps.py"
REPORTED = re.compile(r"^(?P<file>.+?):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$", re.MULTILINE)
MARK = re.compile(r"# refused: ([\w-]+)$")


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Give what mypy reports of both files, as lines and codes."""
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT))
        text, problems, _ = api.run(
            [
                "--strict",
                "--explicit-package-bases",
                f"--config-file={ROOT / 'pyproject.toml'}",
                f"--cache-dir={tmp_path_factory.mktemp('mypy')}",
                "--follow-imports=silent",
                "--show-absolute-path",
                str(USES),
                str(STEPS),
            ]
        )
    assert problems == ""
    return text


def found(text, path):
    return {
        (int(each["line"]), each["code"])
        for each in REPORTED.finditer(text)
        if Path(each["file"]) == path
    }


def marked(path):
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return {(number, mark[1]) for number, line in lines if (mark := MARK.search(line))}


def test_mypy_refuses_each_wrong_use_and_no_right_one(reported):
    assert len(marked(USES)) >= 15
    assert found(reported, USES) == marked(USES)


def test_mypy_refuses_wrong_steps_in_a_sagas_list(reported):
    assert found(reported, STEPS) == marked(STEPS)
