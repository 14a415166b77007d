"""Where an error was raised: the innermost frame of the application, and the traceback.

Of an error that was raised from others (``raise ... from``), the frame is that of the deepest cause that has one of the
application: there it went wrong first. An error that was raised while another was handled, without ``from``, is a new one. Of an
``ExceptionGroup`` the first error counts. What a process pool's process raised has its frames there; here it has the call of its result.

Nothing here raises, and nothing tells a value: no locals, no inputs that do not validate.
"""

import linecache
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import PurePath
from types import CodeType, FrameType, TracebackType
from typing import Final

from amends.definition.serialization import message_of, type_name

LARGEST_TRACEBACK: Final = 4096
"""Bytes of a traceback that are kept: its innermost end."""

_LONGEST_FRAME: Final = 200
_LONGEST_MESSAGE: Final = 500
_MOST_FRAMES: Final = 50
_MOST_ERRORS: Final = 20

_ENGINE: Final = frozenset({"amends", "amends_commands", "amends_pytest"})
_LIBRARIES: Final = frozenset({"site-packages", "dist-packages"})
_STANDARD: Final = tuple(
    f"{path}/" for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))
)

_Frame = tuple[FrameType, int]  # and its line
_Kind = Callable[[CodeType, str], bool]


def frame_of(error: BaseException, package: str = "") -> str | None:
    """Return where an error was raised: ``tasks/payment.py:87 _charge``, relative to the root of its package.

    package: the application's, which may be installed among the libraries. Other code of the application is what is neither
        installed there, nor Python's own, nor the engine's.

    Without a frame of the application it is the innermost of all, as ``httpx._client:914 send``; None if the engine raised it.
    """
    try:
        origins = [*_origins(error, in_handler=False)][::-1]

        def is_own(code: CodeType, module: str) -> bool:
            return _is_application(code, module, package)

        for each in origins:
            if found := _innermost(each, is_own):
                return found[-_LONGEST_FRAME:]
        for each in origins:
            if found := _innermost(each, _is_foreign, by_module=True):
                return found[-_LONGEST_FRAME:]
    except BaseException:  # noqa: BLE001 - an activity's own class, whose attributes may be anything
        return None
    return None


def traceback_of(error: BaseException) -> str | None:
    """Return the traceback of an error, those before it first, at most `LARGEST_TRACEBACK` bytes of its innermost end."""
    try:
        errors = [*_origins(error, in_handler=True)][::-1]
        text = "\n\n".join("\n".join([*_lines(each), _headline(each)]) for each in errors)
        whole = text.encode(errors="replace")
    except BaseException:  # noqa: BLE001 - as above
        return None
    if len(whole) <= LARGEST_TRACEBACK:
        return whole.decode()
    end = whole[-(LARGEST_TRACEBACK - len("...\n")) :].decode(errors="ignore")
    _, _, lines = end.partition("\n")
    return f"...\n{lines or end}"


def _origins(error: BaseException, *, in_handler: bool) -> Iterator[BaseException]:
    """Yield an error, then the one that it came from, and so on.

    in_handler: whether an error that was being handled counts, as in a traceback.
    """
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and not any(each is found for each in seen):
        yield found
        seen.append(found)
        if len(seen) == _MOST_ERRORS:
            return
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        elif found.__cause__ is not None:
            found = found.__cause__
        else:
            found = found.__context__ if in_handler and not found.__suppress_context__ else None


def _frames(error: BaseException) -> Iterator[_Frame]:
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _innermost(error: BaseException, counts: _Kind, *, by_module: bool = False) -> str | None:
    found = None
    for frame, line in _frames(error):
        if counts(frame.f_code, _module(frame)):
            found = frame, line
    if found is None:
        return None
    frame, line = found
    code, module = frame.f_code, _module(frame)
    place = module if by_module else _place(code.co_filename, module)
    return f"{place}:{line} {code.co_name}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_foreign(_: CodeType, module: str) -> bool:
    return module.partition(".")[0] not in _ENGINE


def _is_application(code: CodeType, module: str, package: str) -> bool:
    if package and module.partition(".")[0] == package:
        return True
    file = code.co_filename
    return (
        _is_foreign(code, module)
        and not file.startswith(("<", *_STANDARD))
        and _LIBRARIES.isdisjoint(PurePath(file).parts)
    )


def _place(file: str, module: str) -> str:
    """Return a file's path from the root of its package; of a script its name."""
    parts, path = module.split("."), PurePath(file)
    for tail in (parts, [*parts, "__init__"]):
        if list(path.with_suffix("").parts[-len(tail) :]) == tail:
            return "/".join(path.parts[-len(tail) :])
    return path.name


def _lines(error: BaseException) -> Iterator[str]:
    """Yield the innermost frames of a traceback, and of each its line of source, if that is there."""
    for frame, line in [*_frames(error)][-_MOST_FRAMES:]:
        code = frame.f_code
        yield f'  File "{_place(code.co_filename, _module(frame))}", line {line}, in {code.co_name}'
        source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        if source:
            yield f"    {source[:_LONGEST_FRAME]}"


def _headline(error: BaseException) -> str:
    return f"{type_name(error)}: {message_of(error)[:_LONGEST_MESSAGE]}"
