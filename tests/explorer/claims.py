"""Who holds a saga, or each branch of the stage at hand, as its scripts' answers tell: one at a time, and its word alone counts."""

from collections.abc import Callable
from typing import Any

_ENDS = ("complete_step", "complete_and_claim", "retry_step", "fail_step")
_SLACK = 0.1  # seconds


class Claims:
    """Watches the answers of the scripts that claim a record and end a claim. `wrongs` are its finds.

    `now` tells the seconds since some moment, `branch_of` the branch of a record, or ''. `taken_over` are the records that sweeps took over,
    `timed_out` those of attempts that were given up because their time was over.
    """

    def __init__(self, now: Callable[[], float], branch_of: Callable[[str], str]) -> None:
        self.wrongs: list[str] = []
        self.taken_over: list[str] = []
        self.timed_out: list[str] = []
        self._now = now
        self._branch_of = branch_of
        self._holders: dict[str, tuple[str, str]] = {}  # by branch, its record and token
        self._ended: set[str] = set()
        self._not_before: dict[str, float] = {}

    def note(self, script: str, arguments: list[Any], answer: list[Any]) -> None:
        """Look at one answer."""
        if script == "claim_step":
            _, path, token, _, _, brought, *_ = arguments
            self._claimed(path, token, answer[0], brought=brought)
        elif script == "take_over" and answer[0] == "taken":
            _, path, token, taken_from = arguments
            self._claimed(path, token, "run", brought=taken_from)
            self.taken_over.append(path)
        elif script in _ENDS:
            self._ended_by(script, arguments, answer[0])
            if script == "complete_and_claim" and answer[0] != "late":
                _, _, _, _, link, token, *_ = arguments
                said = "run" if answer[0] == "run" else "stop"
                self._claimed(link, token, said, brought="")
        elif script == "retry_saga":
            self._not_before.clear()

    def _claimed(self, path: str, token: str, said: str, *, brought: str) -> None:
        branch = self._branch_of(path)
        if said == "stop" and self._holders.get(branch) == (path, token):
            self.wrongs.append(f"{path} was claimed, and claimed again in vain")
        if said != "run":
            return
        for held, (holder, of) in self._holders.items():
            if _excludes(held, branch) and of not in (token, *brought.split(",")):
                self.wrongs.append(f"{path} was claimed while another held the saga: {holder}")
        if token in self._ended:
            self.wrongs.append(f"{path} was claimed again under the token of an ended claim")
        if self._now() < self._not_before.get(path, 0.0) - _SLACK:
            self.wrongs.append(f"{path} was claimed before its wait was over")
        self._holders[branch] = path, token

    def _ended_by(self, script: str, arguments: list[Any], said: str) -> None:
        _, path, token, *rest = arguments
        branch = self._branch_of(path)
        if said == "late":
            if self._holders.get(branch) == (path, token) or token in self._ended:
                self.wrongs.append(f"{script} {path} had the claim, and was late")
        elif token not in self._ended:
            if self._holders.get(branch) != (path, token):
                self.wrongs.append(f"{script} {path} had no claim, and landed")
            self._ended.add(token)
            self._holders.pop(branch, None)
            if said == "retry":
                self._not_before[path] = self._now() + rest[1] / 1000
            if "TimeoutError" in rest[0]:
                self.timed_out.append(path)


def _excludes(held: str, branch: str) -> bool:
    """Tell whether what runs in one branch keeps others from running in another: but for those of one stage, everywhere."""
    return held == branch or not held or held.partition(".")[0] != branch.partition(".")[0]
