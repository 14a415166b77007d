"""Acts on many sagas: what one would do, its progress, and how to stop it and go on."""

from functools import partial
from typing import Any, Final

from starlette.datastructures import FormData, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from amends.cli.formatting import time_span
from amends.console.access.roles import BULK_BOUND, Person, Right
from amends.console.access.sign_in import person_of
from amends.console.bulk.runs import AT_ONCE, BulkRuns, Plan, Run, TooManyRuns
from amends.console.bulk.selection import BULK_ACTS, WOULD, Selection
from amends.console.pages.forms import text_of
from amends.console.pages.page import ConsolePage, check_right, lead_to, page, tell
from amends.log.control import check_act_id
from amends.operations import Operation, new_act_id


class BulkPage(ConsolePage):
    """Acts on many sagas."""

    menu_label = "Bulk acts"
    path = "/bulk"
    route_name = "bulk"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._runs = BulkRuns(self.reads.app)

    @page("", name="bulk")
    async def index(self, request: Request) -> Response:
        """List the runs of this process."""
        return self.show(request, "bulk_runs.html", runs=self._runs.all)

    @page("/new", name="bulk_new", needs=Right.BULK)
    async def new(self, request: Request) -> Response:
        """Show what an act on many sagas would do, and ask for the reason."""
        selection = _selection(request.query_params, person_of(request))
        try:
            preview = await self.reads.ask(partial(selection.preview, self.reads.app))
        except ValueError as error:
            tell(request, f"Nothing was done: {error}", kind="error")
            return lead_to(request, "sagas")
        person = person_of(request)
        return self.show(
            request,
            "bulk_new.html",
            selection=selection,
            preview=preview,
            would=WOULD[selection.act],
            act_id=new_act_id(),
            bound=None if person.may(Right.UNBOUNDED) else BULK_BOUND,
        )

    @page("/start", methods=("POST",), name="bulk_start", needs=Right.BULK)
    async def start(self, request: Request) -> Response:
        """Begin a run, and show it."""
        person, form = person_of(request), await request.form()
        try:
            plan = _plan(self.reads.app, form, person)
            run = self._runs.begin(plan)
        except ValueError as error:
            tell(request, f"Nothing was done: {error}", kind="error")
            return lead_to(request, "index")
        except TooManyRuns:
            tell(request, _TOO_MANY, kind="error")
            return lead_to(request, "bulk")
        return lead_to(request, "bulk_run", number=run.number)

    @page("/runs/{number}", name="bulk_run")
    async def run(self, request: Request) -> Response:
        """Show how far a run is."""
        run = self._run(request)
        person = person_of(request)
        may_act = person.may(Right.BULK) and person.may(run.plan.operation.act)
        return self.show(request, "bulk_run.html", run=run, may_act=may_act)

    @page("/runs/{number}/stop", methods=("POST",), name="bulk_stop", needs=Right.BULK)
    async def stop(self, request: Request) -> Response:
        """Let a run end after its present batch."""
        run = self._run(request)
        run.stop()
        tell(request, "It stops after the sagas that it is at.", kind="info")
        return lead_to(request, "bulk_run", number=run.number)

    @page("/runs/{number}/go-on", methods=("POST",), name="bulk_go_on", needs=Right.BULK)
    async def go_on(self, request: Request) -> Response:
        """Go on with a run where it ended."""
        run = self._run(request)
        check_right(person_of(request), run.plan.operation.act)
        try:
            self._runs.go_on(run)
        except TooManyRuns:
            tell(request, _TOO_MANY, kind="error")
        return lead_to(request, "bulk_run", number=run.number)

    def _run(self, request: Request) -> Run:
        run = self._runs.get(request.path_params["number"])
        if run is None:
            told = "This process of the console does not know the run: it was restarted, or another one has it. The same act from the list does each saga once more only if it needs it."
            raise HTTPException(404, told)
        return run


_TOO_MANY: Final = (
    f"Nothing was done: {AT_ONCE} bulk acts go on already. Wait for one to end, or stop one."
)


def _selection(asked: QueryParams | FormData, person: Person) -> Selection:
    """Read what an act is for. Refuses an act that there is not, or that the person may not do."""
    act = str(asked.get("act", ""))
    if act not in BULK_ACTS:
        raise HTTPException(400, f"There is no bulk act {act!r}. Nothing was done.")
    check_right(person, act)
    return Selection.read(act, asked)


def _plan(app: Any, form: FormData, person: Person) -> Plan:
    """Read a confirmed act. Raises ``ValueError`` for what is missing or wrong."""
    selection, why = _selection(form, person), text_of(form, "why")
    if not why:
        raise ValueError("say why; the history keeps it")
    operation = Operation(
        act=selection.act,
        by=person.login,
        why=why,
        act_id=check_act_id(text_of(form, "act_id")),
        filter=selection.listed,
    )
    matched, rate = text_of(form, "matched"), text_of(form, "rate")
    return Plan(
        operation=operation,
        source=selection.source(app),
        most=None if person.may(Right.UNBOUNDED) else BULK_BOUND,
        matched=int(matched) if matched else None,
        filter=selection.filter.given,
        rate=time_span(rate) or None if rate else None,
    )
