"""The script of one record: how its attempts go, and the actions during them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError

from amends.activities.coroutines import call
from amends.activities.protocol import Definition
from amends.activities.raised import ProcessEnd, ends_process
from amends.definition.serialization import output_json
from amends.saga.handle import Handle
from amends.testing.clock import Clock

Action = Callable[[Handle[dict[str, Any]]], object]
"""What a test does in the middle of a saga, of which it gets the handle."""


class Abandoned(ProcessEnd):
    """The rehearsal is over: its cause is the test's failure, and must not pass for the activity's."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One attempt that is to be played."""

    path: str
    attempt: int
    function: Callable[..., Any]
    arguments: list[Any]
    timeout: float
    clock: Clock
    handle: Handle[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Played:
    """How an attempt went: what came back, and what is to be raised, which may be for a lost reply."""

    output: Any = None
    error: BaseException | None = None


_Behaviour = Callable[[Scene], Played]
_When = Literal["before", "after"]


class Script:
    """How the attempts at one record go, in order; after the last one said, as usual.

    As usual is: the activity's own function is called, or what `stub` or `replace` put in its place.
    Each method returns the script itself. `times` is for how many attempts; None is for all that follow. A script of a
    step for each item of a list is played by each item from its beginning, its actions too.
    """

    def __init__(self, path: str, activity: Definition, *, of_all: "Script | None" = None) -> None:
        self._path = path
        self._activity = activity
        self._of_all = of_all  # of one item: the script of every item
        self._behaviours: list[_Behaviour] = []
        self._last: _Behaviour | None = None  # for all attempts that follow
        self._played: Counter[str] = Counter()  # how many behaviours, by the record's path
        self.instead: Callable[..., Any] | None = None
        self._actions: dict[tuple[_When, int], Action] = {}
        self._acted: set[tuple[str, _When, int]] = set()

    def stub(self, output: Any) -> Self:
        """Take this as the function's output from now on, and call the function no more.

        Raises `TypeError` for what the activity could not return.
        """
        self._check(output)
        return self.replace(lambda *_: output)

    def replace(self, function: Callable[..., Any]) -> Self:
        """Call this function, async or not, in place of the activity's own from now on, with the same arguments."""
        self.instead = function
        return self

    def raises(self, error: BaseException, *, times: int | None = 1) -> Self:
        """Raise this in place of the call.

        `Refused` means that the service said no, `NotDone` that certainly nothing happened, anything
        else that nobody knows.
        """
        return self._add(lambda _: Played(error=error), times)

    def returns(self, output: Any, *, times: int | None = 1) -> Self:
        """Return this in place of the call. Raises `TypeError` for what the activity could not return."""
        self._check(output)
        return self._add(lambda _: Played(output=output), times)

    def times_out(self, *, times: int | None = 1) -> Self:
        """Let the attempt take its whole start-to-close timeout, by the clock, and end without an answer.

        The function is not called; `loses_reply` is for the one that took effect.
        """

        def behave(scene: Scene) -> Played:
            scene.clock.advance(scene.timeout)
            return Played(error=SoftTimeLimitExceeded(f"no answer after {scene.timeout:g} s"))

        return self._add(behave, times)

    def loses_reply(self, error: BaseException | None = None, *, times: int | None = 1) -> Self:
        """Call the function as usual, so that it takes effect, and raise this for its answer."""
        lost = error or ConnectionError("the reply was lost")
        return self._add(lambda scene: replace(self._run(scene), error=lost), times)

    def runs(self, *, times: int | None = 1) -> Self:
        """Go as usual, before an attempt that does not."""
        return self._add(self._run, times)

    def before(self, action: Action, *, attempt: int = 1) -> Self:
        """Do something, once, when this attempt has begun and its function was not called yet."""
        return self._plan_action("before", attempt, action)

    def after(self, action: Action, *, attempt: int = 1) -> Self:
        """Do something, once, when this attempt's function has ended and its result is not in the log yet."""
        return self._plan_action("after", attempt, action)

    def play(self, scene: Scene) -> Played:
        """Play one attempt."""
        self.act("before", scene)
        played = (self.next_behaviour(scene.path) or self._run)(scene)
        self.act("after", scene)
        return played

    def next_behaviour(self, path: str) -> _Behaviour | None:
        """Take the next behaviour of a record; None after the last one."""
        number = self._played[path]
        if number < len(self._behaviours):
            self._played[path] += 1
            return self._behaviours[number]
        return self._last or (self._of_all.next_behaviour(path) if self._of_all else None)

    def _run(self, scene: Scene) -> Played:
        instead = self.instead or (self._of_all.instead if self._of_all else None)
        try:
            if instead or self._activity.is_async:
                return Played(output=call(instead or scene.function, scene.arguments, limit=None))
            return Played(output=scene.function(*scene.arguments))
        except BaseException as error:  # whatever it raises is its answer
            if ends_process(error):
                raise
            return Played(error=error)

    def _add(self, behave: _Behaviour, times: int | None) -> Self:
        if self._last is None and times is None:
            self._last = behave
        elif self._last is None:
            self._behaviours += [behave] * (times or 0)
        return self

    def _plan_action(self, when: _When, attempt: int, action: Action) -> Self:
        self._actions[when, attempt] = action
        self._acted = {each for each in self._acted if each[1:] != (when, attempt)}
        return self

    def act(self, when: _When, scene: Scene) -> None:
        """Do what was said for this attempt, of every item first."""
        if self._of_all:
            self._of_all.act(when, scene)
        action, which = self._actions.get((when, scene.attempt)), (scene.path, when, scene.attempt)
        if action is None or which in self._acted:
            return
        self._acted.add(which)
        try:
            action(scene.handle)
        except Exception as error:
            raise Abandoned from error

    def _check(self, output: Any) -> None:
        may_be_none = self._activity.may_return_none
        try:
            output_json(self._activity.output, output, may_be_none=may_be_none)
        except (TypeError, ValidationError) as error:
            wanted = self._activity.output.__name__ if self._activity.output else "None"
            raise TypeError(
                f"{self._path}: {self._activity.name} returns {wanted}, never {output!r}"
            ) from error
