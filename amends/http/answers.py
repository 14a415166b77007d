"""The answers that a link may get."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from amends.definition.wait_token import WaitLink
from amends.log.control import Signalled

ALLOWED: Final = ("GET", "HEAD", "POST")
_RETRY_AFTER: Final = 5  # seconds, in which a Redis that fails over is back


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer, for a person and for a program."""

    status: HTTPStatus
    title: str
    said: str  #: A sentence.
    asks: WaitLink | None = None  #: The link that the page asks to confirm.
    data: Mapping[str, Any] = field(
        default_factory=dict
    )  #: JSON; by default the title and the sentence, as ``error``.
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json_data(self) -> Mapping[str, Any]:
        """What a program gets."""
        return self.data or {"error": f"{self.title}. {self.said}"}


UNKNOWN: Final = Answer(
    status=HTTPStatus.NOT_FOUND,
    title="This link is not valid",
    said="Open it as it stands in the mail: a part of it may be missing.",
)
"""One for all that is wrong with a token: nobody learns how far a guess came."""
EXPIRED: Final = Answer(
    status=HTTPStatus.GONE, title="This link has expired", said="Nothing was changed."
)
FORGOTTEN: Final = Answer(
    status=HTTPStatus.GONE,
    title="This is over",
    said="Nothing is known of it any more, and nothing was changed.",
)
AWAY: Final = Answer(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="Please try again",
    said="Your answer could not be recorded just now. Try again in a moment: it counts once, however often you send it.",
    headers={"Retry-After": str(_RETRY_AFTER)},
)
WRONG_METHOD: Final = Answer(
    status=HTTPStatus.METHOD_NOT_ALLOWED,
    title="This is not possible",
    said="A link is read with GET and used with POST.",
    headers={"Allow": ", ".join(ALLOWED)},
)
UNWANTED_BODY: Final = Answer(
    status=HTTPStatus.BAD_REQUEST,
    title="This is not possible",
    said="Send no body: the link says all that there is to say. Nothing was changed.",
)
_SAID: Final = {
    Signalled.TAKEN: "Your answer was taken.",
    Signalled.COUNTED: "Your answer was counted. Others are needed too.",
    Signalled.KEPT: "Your answer is kept until its turn comes.",
}


def question(link: WaitLink) -> Answer:
    """Ask whether to give the signal; nothing is done."""
    return Answer(
        status=HTTPStatus.OK,
        title=words(link.wait),
        said="Opening this page sends nothing. Confirm to send this answer:",
        asks=link,
        data={
            "saga": link.saga,
            "saga_id": link.saga_id,
            "wait": link.wait,
            "value": link.value,
            "by": link.by,
            "expires_at": datetime.fromtimestamp(link.expires_at, UTC).isoformat(),
        },
    )


def signalled(how: Signalled) -> Answer:
    """Tell what the saga did with the signal."""
    return Answer(
        status=HTTPStatus.OK, title="Thank you", said=_SAID[how], data={"signal": how.value}
    )


def refused(reason: str) -> Answer:
    """Tell that the saga did not take the signal, and a program why."""
    return Answer(
        status=HTTPStatus.CONFLICT,
        title="Your answer was not taken",
        said="This was answered before, or it is over. Nothing was changed.",
        data={"error": reason},
    )


def words(name: str) -> str:
    """Turn a name of code into words."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
