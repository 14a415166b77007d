"""The page of one saga, and the acts on it."""

import json
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from amends.console.access.roles import Right
from amends.console.access.sign_in import person_of
from amends.console.pages.forms import text_of
from amends.console.pages.page import ConsolePage, check_right, lead_to, page, tell
from amends.console.views.acts import act_forms
from amends.console.views.saga import SagaView
from amends.log.control import check_act_id
from amends.saga.bulk import ActName, Operation, Result, Target, Verdict

_ACTS: tuple[ActName, ...] = ("retry", "skip", "cancel", "pause", "resume", "signal")


class SagaPage(ConsolePage):
    """One saga."""

    path = "/sagas"
    add_to_menu = False

    @page("/{saga_id}", name="saga")
    async def index(self, request: Request) -> Response:
        """Show a saga as it stands."""
        person = person_of(request)
        saga = SagaView(await self.reads.examine(request.path_params["saga_id"]))
        return self.show(
            request,
            "saga.html",
            saga=saga,
            acts=[*act_forms(saga.found, person)],
            payloads=saga.payloads(self.reads.app) if person.may(Right.PAYLOADS) else None,
            links=saga.links(self.options.links),
        )

    @page("/{saga_id}/act", methods=("POST",), name="act")
    async def act(self, request: Request) -> Response:
        """Act on a saga, and show it again."""
        person, form = person_of(request), await request.form()
        act = _act_of(form)
        check_right(person, act)
        saga_id = request.path_params["saga_id"]
        try:
            operation = _operation(act, form, person.login)
            seen = int(text_of(form, "seen")) if text_of(form, "seen") else None
        except ValueError as error:
            tell(request, f"Nothing was done: {error}", kind="error")
            return lead_to(request, "saga", saga_id=saga_id)
        result = await self.reads.act(operation, Target(id=saga_id, seen=seen))
        text, kind = _told(act, result)
        tell(request, text, kind=kind)
        return lead_to(request, "saga", saga_id=saga_id)


def _act_of(form: FormData) -> ActName:
    for name in _ACTS:
        if name == form.get("act"):
            return name
    raise HTTPException(400, "There is no such act. Nothing was done.")


def _operation(act: ActName, form: FormData, login: str) -> Operation:
    """Read an act off a form. Raises ``ValueError`` for what is missing or no JSON."""
    why = text_of(form, "why")
    if not why and act != "signal":
        raise ValueError("say why; the history keeps it")
    return Operation(
        act=act,
        by=login,
        why=why,
        step=text_of(form, "step"),
        output=_json(text_of(form, "data")),
        act_id=check_act_id(text_of(form, "act_id")),
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise ValueError(f"the data is no JSON: {error}") from error


def _told(act: ActName, result: Result) -> tuple[str, str]:
    """Say what became of an act, and of which kind that is."""
    if result.verdict is Verdict.DONE and result.signalled:
        return f"The signal was {result.signalled}.", "success"
    if result.verdict is Verdict.DONE:
        later = (
            ""
            if result.is_published
            else " The broker is away: it goes on when a worker's sweep comes to it."
        )
        return f"{act.capitalize()}: done.{later}", "warning" if later else "success"
    if result.verdict is Verdict.UNAVAILABLE:
        return (
            f"The log did not answer, and the {act} may be done or not: look, and do it again. {result.reason}",
            "error",
        )
    return f"{act.capitalize()} was refused, and nothing was done: {result.reason}.", "error"
