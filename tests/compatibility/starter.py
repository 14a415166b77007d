"""Starts sagas until it is ended, and acts on some: ``python -m tests.compatibility.starter NAME SEED EVERY``.

The sagas are those that its release knows; it writes the id of each before it starts it. Some are cancelled or paused for a
while, also those of the other starter.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import amends
from amends import ActRefused, UnknownSaga
from tests.compatibility.apps import all_sagas, app

STEPS: Final = ("a", "b", "c", "d", "e")
UNDOS: Final = ("a:undo", "b:undo", "d:undo", "b:fallback:undo")
RECENT: Final = 6
WEIGHTS: Final = {"long": 4, "inline": 4, "bare": 1, "hasty": 1, "at_once": 2, "pivot": 2}


def job(saga_id: str, draw: random.Random) -> dict[str, Any]:
    """Draw an input: in half of the cases something fails."""
    given: dict[str, Any] = {"job_id": saga_id, "takes": draw.choice([0.0, 0.02, 0.3, 1.5])}
    given["items"] = [{"name": f"item {n}"} for n in range(draw.randint(1, 4))]
    troubles: Sequence[Callable[[], dict[str, Any]]] = (
        lambda: {"refuses": [draw.choice(STEPS)]},
        lambda: {"misses": {draw.choice(STEPS): draw.randint(1, 3)}},
        lambda: {"breaks": {draw.choice(STEPS): draw.randint(1, 3)}},
        lambda: {"refuses": ["e"], "breaks": {draw.choice(UNDOS): draw.randint(1, 2)}},
        lambda: {"refuses": ["d"], "breaks": {"b": 3}},
    )
    return given | (draw.choice(troubles)() if draw.random() < 1 / 2 else {})


def act(ids: Sequence[str], draw: random.Random) -> None:
    """Cancel a saga, or pause it for a moment."""
    with suppress(ActRefused, UnknownSaga, amends.ConfigurationError):
        handle = amends.get(draw.choice(ids))
        if draw.random() < 1 / 2:
            handle.cancel()
        else:
            handle.pause()
            time.sleep(0.2)
            handle.resume()


def main(name: str, seed: str, every: str) -> None:
    """Start one `every` so many seconds."""
    draw, known = random.Random(seed + name), all_sagas()  # noqa: S311 - a draw is no secret
    weights = [WEIGHTS.get(each, 1) for each in known]
    app.finalize()
    ids: list[str] = []
    for number in range(1_000_000):
        (kind,) = draw.choices(list(known), weights)
        ids.append(f"{name}-{number}-{kind}")
        sys.stdout.write(f"{ids[-1]}\n")
        sys.stdout.flush()
        known[kind].start(job(ids[-1], draw), saga_id=ids[-1])
        if draw.random() < 1 / 4:
            others = [
                each.replace(name, other, 1) for each in ids[-RECENT:] for other in ("old", "new")
            ]
            act(others, draw)
        time.sleep(float(every))


if __name__ == "__main__":
    main(*sys.argv[1:])
