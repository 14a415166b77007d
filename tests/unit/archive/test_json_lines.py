"""The archive of JSON lines: whole lines on disk, by several processes at once, and found again."""

import errno
import multiprocessing
import os
from datetime import UTC, datetime

import pytest

from amends.archive import ArchivedSaga
from amends.archive.json_lines import JsonLinesArchive

DAY = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def saga(saga_id, **fields):
    return ArchivedSaga(id=saga_id, saga="sale", status="completed", **fields)


def archive_at(directory, now=DAY):
    return JsonLinesArchive(directory, now=lambda: now)


def test_each_day_has_a_file_with_a_line_for_each_saga(tmp_path):
    archive_at(tmp_path / "made")([saga("s-1"), saga("s-2", input={"text": "two\nlines"})])
    archive_at(tmp_path / "made", datetime(2026, 3, 2, 0, 1, tzinfo=UTC))([saga("s-3")])
    first, second = sorted((tmp_path / "made").iterdir())
    assert (first.name, second.name) == ("sagas-2026-03-01.jsonl", "sagas-2026-03-02.jsonl")
    read = [ArchivedSaga.model_validate_json(line) for line in first.read_text().splitlines()]
    assert [each.id for each in read] == ["s-1", "s-2"]
    assert read[1].input == {"text": "two\nlines"}


def test_a_saga_is_found_as_it_came_last(tmp_path):
    archive = archive_at(tmp_path)
    archive([saga("s-1", outcome="first"), saga("s-10")])
    archive([saga("s-1", outcome="again"), saga("s-20", input={"id": "s-1"})])
    assert archive.find("s-1").outcome == "again"
    assert archive.find("s-10").outcome is None
    assert archive.find("s-100") is None
    assert archive.find('s-1"') is None
    assert archive_at(tmp_path / "never").find("s-1") is None


def test_what_a_killed_process_left_of_a_line_spoils_no_other(tmp_path):
    archive = archive_at(tmp_path)
    archive([saga("s-1")])
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id":"s-2","sa')
    archive([saga("s-3")])
    assert [archive.find(each) is not None for each in ("s-1", "s-2", "s-3")] == [True, False, True]
    assert len(path.read_bytes().splitlines()) == 3


def test_a_full_disk_leaves_nothing_of_a_batch(tmp_path, monkeypatch):
    archive = archive_at(tmp_path)
    archive([saga("s-1")])
    (path,) = tmp_path.iterdir()
    before, write = path.read_bytes(), os.write

    def fill(file, data):
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(OSError, match="No space left"):
        archive([saga("s-2")])
    assert path.read_bytes() == before


def test_a_batch_is_synced_before_the_call_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    archive_at(tmp_path)([saga("s-1")])
    (path,) = tmp_path.iterdir()
    assert synced == [path.stat().st_ino, tmp_path.stat().st_ino]


def write_many(directory, name):
    archive = archive_at(directory)
    for number in range(40):
        archive([saga(f"{name}-{number}-{k}", input="x" * 3000) for k in range(5)])


def test_processes_that_write_at_once_part_no_line(tmp_path):
    names = ("a", "b", "c")
    fork = multiprocessing.get_context("spawn")
    writers = [fork.Process(target=write_many, args=(tmp_path, name)) for name in names]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    (path,) = tmp_path.iterdir()
    read = [ArchivedSaga.model_validate_json(line) for line in path.read_bytes().splitlines()]
    assert len({each.id for each in read}) == len(read) == 3 * 40 * 5
