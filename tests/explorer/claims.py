"""Who holds a saga, as its scripts' answers tell: one at a time, and its word alone counts."""

from typing import Any

_SCRIPTS = ("claim_step", "complete_step", "retry_step", "fail_step")


class Claims:
    """Watches the answers of the scripts that claim a record and end a claim. `wrongs` are its finds."""

    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self._holder: tuple[str, str] | None = None  # its record and token
        self._ended: set[str] = set()

    def note(self, script: str, arguments: list[Any], answer: list[Any]) -> None:
        """Look at one answer."""
        if script not in _SCRIPTS:
            return
        path, token = arguments[1:3]
        if script == "claim_step":
            if answer[0] == "run":
                self._admit(path, token, brought=arguments[5])
        elif answer[0] == "late":
            if (path, token) == self._holder:
                self.wrongs.append(f"{script} {path} had the claim, and was late")
        elif token not in self._ended:
            if (path, token) != self._holder:
                self.wrongs.append(f"{script} {path} had no claim, and landed")
            self._ended.add(token)
            self._holder = None

    def _admit(self, path: str, token: str, *, brought: str) -> None:
        if self._holder is not None and self._holder[1] not in (token, *brought.split(",")):
            self.wrongs.append(f"{path} was claimed while another held the saga: {self._holder[0]}")
        if token in self._ended:
            self.wrongs.append(f"{path} was claimed again under the token of an ended claim")
        self._holder = (path, token)
