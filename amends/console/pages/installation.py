"""Workers, queues and schedules, and the doctor."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from amends.console.access.roles import Right
from amends.console.access.sign_in import person_of
from amends.console.pages.forms import signed_form
from amends.console.pages.page import ConsolePage, lead_to, page, tell
from amends.console.reads import ACTS, DOCTOR
from amends.console.views.installation import SCHEDULE_COLUMNS, Installation
from amends.diagnosis.deployment.examination import examine
from amends.diagnosis.deployment.findings import Severity
from amends.errors import UnknownSchedule
from amends.log.saga_log import log_of
from amends.scheduling.definition import schedules


class InstallationPage(ConsolePage):
    """How the installation stands."""

    menu_label = "Workers"
    path = "/workers"
    route_name = "workers"

    @page("", name="workers")
    async def index(self, request: Request) -> Response:
        """Show sagas by status, live workers, their queues, and schedules."""
        found = await self.reads.ask(partial(Installation.read, self.reads.app))
        return self.show(
            request,
            "workers.html",
            found=found,
            columns=SCHEDULE_COLUMNS,
            may_act=person_of(request).may(Right.SCHEDULES),
        )

    @page("/doctor", name="doctor")
    async def examine(self, request: Request) -> Response:
        """Examine the installation, which takes some seconds, and show what is wrong first."""
        found = await self.reads.ask(partial(examine, self.reads.app), threads=DOCTOR)
        fine = found.of(Severity.OK)
        wrong = [each for each in found.findings if each.severity is not Severity.OK]
        return self.show(request, "doctor.html", wrong=wrong, fine=fine)

    @page("/schedule", methods=("POST",), name="schedule_act", needs=Right.SCHEDULES)
    async def act(self, request: Request) -> Response:
        """Pause, resume or trigger a schedule, and show all again."""
        form = await signed_form(request)
        if form is not None:
            try:
                told = await self.reads.ask(partial(_act, self.reads.app, form), threads=ACTS)
            except UnknownSchedule as error:
                tell(request, f"Nothing was done: {error}", kind="error")
            else:
                tell(
                    request,
                    told or "There is no such act. Nothing was done.",
                    kind="success" if told else "error",
                )
        return lead_to(request, "workers")


def _act(app: Any, form: Mapping[str, str]) -> str:
    """Act on a schedule, and say what was done; '' for no act."""
    act, name, log = form["act"], form["name"], log_of(app)
    actor = {"by": form["by"], "why": form["why"]}
    if act == "pause":
        log.schedules.pause_schedule(name, actor)
        return f"{name} is paused."
    if act == "resume":
        log.schedules.resume_schedule(name, actor)
        return f"{name} goes on."
    defined = {each.name: each for each in schedules()}
    if act == "trigger" and name in defined:
        return "Started: " + ", ".join(each.id for each in [defined[name].trigger(**actor)])
    return ""
