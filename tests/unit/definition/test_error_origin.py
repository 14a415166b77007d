"""Where an error was raised, told so that it helps and that it never fails or tells a value."""

import asyncio
import concurrent.futures
import json
import multiprocessing
import sys
import types
from pathlib import Path

import pytest
from pydantic import BaseModel

from amends.definition.error_origin import LARGEST_TRACEBACK, frame_of, traceback_of
from amends.definition.serialization import without_values

HERE = "tests/unit/definition/test_error_origin.py"


class OwnError(Exception):
    pass


def fail(error=None):
    raise error or OwnError("no")


def line_of(function, text):
    """Return the number of the line of a function that has a text."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    begin = function.__code__.co_firstlineno
    return next(k for k in range(begin, len(lines)) if text in lines[k - 1])


def raised(function, *arguments):
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - it is any
        function(*arguments)
    return caught.value


def beneath(function):
    """Return what a function raises, without the frames of this module."""
    error = raised(function)
    traceback = error.__traceback__
    while traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def code_of(module, file, text, **names):
    """Give the functions of a module that a file would have."""
    made = types.ModuleType(module)
    vars(made).update(names)
    exec(compile(text, file, "exec"), vars(made))  # noqa: S102
    return made


CALLS = "def call(function):\n    return function()\n"
FAILS = "def fail():\n    raise OSError('no')\n"


def test_it_is_the_line_that_raised_from_the_root_of_the_package():
    assert frame_of(raised(fail)) == f"{HERE}:{line_of(fail, 'raise')} fail"


def test_a_frame_of_a_library_or_of_python_beneath_it_is_not_the_applications():
    def load():
        json.loads("{")

    assert frame_of(raised(load)) == f"{HERE}:{line_of(load, 'json.loads')} load"


@pytest.mark.parametrize(
    "file",
    [
        "/srv/.venv/lib/python3.11/site-packages/acme/io.py",
        "/usr/lib/python3/dist-packages/acme/io.py",
    ],
)
def test_what_is_installed_is_no_application_but_for_its_own_package(file):
    library = code_of("acme.io", file, FAILS)

    def use():
        library.fail()

    error = raised(use)
    assert frame_of(error) == f"{HERE}:{line_of(use, 'library.fail')} use"
    assert frame_of(error, "acme") == "acme/io.py:2 fail"


def test_a_path_is_never_absolute_whatever_the_module_is_called():
    for module, file, expected in [
        ("tasks.payment", "/srv/app/tasks/payment.py", "tasks/payment.py:2 fail"),
        ("tasks", "/srv/app/tasks/__init__.py", "tasks/__init__.py:2 fail"),
        ("__main__", "/srv/app/run.py", "run.py:2 fail"),
        ("loaded.otherwise", "/srv/app/plug.py", "plug.py:2 fail"),
    ]:
        assert frame_of(raised(code_of(module, file, FAILS).fail)) == expected


def test_without_a_frame_of_the_application_it_is_the_innermost_of_all():
    library = code_of("acme.io", "/x/site-packages/acme/io.py", FAILS)
    assert frame_of(beneath(library.fail)) == "acme.io:2 fail"


def test_what_the_engine_raised_itself_has_none():
    engine = code_of("amends.some", "/x/amends/some.py", FAILS)
    assert frame_of(beneath(engine.fail)) is None
    assert frame_of(OwnError("it was never raised")) is None


def wrap(error_class):
    try:
        fail()
    except OwnError as error:
        raise error_class("wrapped") from error


def handle():
    try:
        fail()
    except OwnError:
        raise KeyError("in the handler")  # noqa: B904 - on purpose


def wrap_library():
    try:
        json.loads("{")
    except ValueError as error:
        raise OwnError from error


def test_of_one_raised_from_another_it_is_where_that_was_raised():
    assert frame_of(raised(wrap, ValueError)) == f"{HERE}:{line_of(fail, 'raise')} fail"


def test_of_one_raised_from_a_librarys_error_it_is_the_call_of_the_library():
    expected = f"{HERE}:{line_of(wrap_library, 'json.loads')} wrap_library"
    assert frame_of(raised(wrap_library)) == expected


def test_one_raised_in_a_handler_is_a_new_one():
    assert frame_of(raised(handle)) == f"{HERE}:{line_of(handle, 'raise KeyError')} handle"


async def late(seconds):
    await asyncio.sleep(seconds)
    fail()


async def several():
    async with asyncio.TaskGroup() as group:
        group.create_task(late(0))
        group.create_task(late(0))


def test_of_a_group_it_is_where_the_first_one_was_raised():
    error = raised(asyncio.run, several())
    assert isinstance(error, ExceptionGroup)
    assert frame_of(error) == f"{HERE}:{line_of(late, 'fail()')} late" or frame_of(error).endswith(
        " fail"
    )


def in_pool():
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("fork")
    ) as pool:
        return pool.submit(fail).result()


def test_of_an_error_of_a_process_pool_it_is_where_its_result_was_asked_for():
    error = raised(in_pool)
    assert frame_of(error) == f"{HERE}:{line_of(in_pool, 'pool.submit')} in_pool"
    assert f"line {line_of(fail, 'raise')}, in fail" in traceback_of(error)


def recurse(depth):
    return recurse(depth + 1) + 1


def test_a_recursion_without_end_has_a_frame_and_a_traceback():
    error = raised(recurse, 0)
    assert isinstance(error, RecursionError)
    assert frame_of(error) == f"{HERE}:{line_of(recurse, 'return')} recurse"
    assert len(traceback_of(error).encode()) <= LARGEST_TRACEBACK


class TracelessError(Exception):
    @property
    def __traceback__(self):
        raise SystemExit(3)


class OddError(Exception):
    __traceback__ = "no traceback"


class CausedError(Exception):
    __cause__ = 7


@pytest.mark.parametrize("cls", [TracelessError, OddError, CausedError])
def test_an_error_whose_attributes_are_odd_has_none_and_nothing_fails(cls):
    frame_of(cls("no")), traceback_of(cls("no"))


def test_errors_in_a_circle_end():
    one, other = OwnError("1"), OwnError("2")
    one.__cause__, other.__cause__ = other, one
    assert frame_of(one) is None
    assert traceback_of(one).count("OwnError") == 2


def test_code_whose_source_is_away_has_a_frame_and_a_traceback_without_source():
    error = raised(code_of("gone.away", "/nowhere/gone/away.py", FAILS).fail)
    assert frame_of(error) == "gone/away.py:2 fail"
    assert traceback_of(error).endswith('File "gone/away.py", line 2, in fail\nOSError: no')


def test_a_name_that_is_too_long_is_cut():
    text = f"def {'f' * 1000}():\n    raise OSError\nfail = {'f' * 1000}\n"
    assert len(frame_of(raised(code_of("a.b", "/a/b.py", text).fail))) == 200


def test_a_traceback_has_the_causes_first_and_no_value_of_a_local():
    def fail_with(secret):
        assert secret
        wrap(ValueError)

    text = traceback_of(raised(fail_with, "4111-1111"))
    assert text.index("OwnError: no") < text.index("ValueError: wrapped")
    assert f'File "{HERE}", line {line_of(wrap, "from error")}, in wrap' in text
    assert text.splitlines()[-2:] == [
        '    raise error_class("wrapped") from error',
        "ValueError: wrapped",
    ]
    assert "4111" not in text


def test_a_traceback_keeps_its_innermost_end_however_long_an_error_is():
    text = traceback_of(raised(fail, OwnError("x" * 1_000_000)))
    assert len(text.encode()) <= LARGEST_TRACEBACK
    assert ", in fail" in text

    def deep(depth):
        return deep(depth - 1) if depth else fail(OwnError("ü" * 400))

    text = traceback_of(raised(deep, 60))
    assert len(text.encode()) <= LARGEST_TRACEBACK
    assert text.startswith("...\n  ")
    assert ", in fail" in text


class Card(BaseModel):
    number: int


def test_a_traceback_tells_no_value_that_does_not_validate():
    def check(number):
        try:
            Card(number=number)
        except ValueError as error:
            raise OwnError("no card") from error

    error = raised(check, "4111-1111")
    assert "4111" not in traceback_of(without_values(error))
    assert frame_of(error) == f"{HERE}:{line_of(check, 'Card(')} check"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="of CPython's")
def test_a_frame_costs_few_bytes():
    assert len(frame_of(raised(fail))) < 80
