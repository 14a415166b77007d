"""The circuit breakers, and an administrator's decisions on them."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from amends.cli.formatting import time_span
from amends.console.access.roles import Right
from amends.console.access.sign_in import person_of
from amends.console.pages.forms import signed_form
from amends.console.pages.page import ConsolePage, lead_to, page, tell
from amends.console.reads import ACTS
from amends.console.views.circuits import read_circuits, take_over


class CircuitsPage(ConsolePage):
    """All circuits."""

    menu_label = "Circuits"
    path = "/circuits"
    route_name = "circuits"

    @page("", name="circuits")
    async def index(self, request: Request) -> Response:
        """Show how they stand."""
        found = await self.reads.ask(partial(read_circuits, self.reads.app))
        may_act = person_of(request).may(Right.CIRCUITS)
        return self.show(request, "circuits.html", circuits=found, may_act=may_act)

    @page("/act", methods=("POST",), name="circuit_act", needs=Right.CIRCUITS)
    async def act(self, request: Request) -> Response:
        """Take a circuit over, and show all again."""
        form = await signed_form(request)
        if form is None:
            return lead_to(request, "circuits")
        name, act, lasts = form["name"], form["act"], form["lasts"]
        signed = {"by": form["by"], "why": form["why"]}
        try:
            seconds = time_span(lasts) if lasts else None
            do = partial(take_over, self.reads.app, name, act, lasts=seconds, **signed)
            is_done = await self.reads.ask(do, threads=ACTS)
        except ValueError as error:
            tell(request, f"Nothing was done: {error}", kind="error")
            return lead_to(request, "circuits")
        if is_done:
            tell(request, f"{name}: {act}, done.", kind="success")
        else:
            tell(
                request,
                f"There is no circuit {name!r}, or no act {act!r}. Nothing was done.",
                kind="error",
            )
        return lead_to(request, "circuits")
