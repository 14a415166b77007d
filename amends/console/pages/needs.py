"""What needs a person: sagas that are stuck, by their causes, and what stands still beneath all of them."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from amends.console.access.roles import Right
from amends.console.access.sign_in import person_of
from amends.console.pages.page import ConsolePage, page
from amends.console.reads import DOCTOR, READS
from amends.console.views.needs import LOOKED_AT, Needs
from amends.log.queries.cause_groups import MOST_READ

_SHOWN: Final = 50


class NeedsPage(ConsolePage):
    """What needs a person."""

    menu_label = "Needs a person"
    path = "/"
    route_name = "index"

    @page("", name="index")
    async def index(self, request: Request) -> Response:
        """Show the causes of stuck sagas, the most frequent first; with ``?all=yes`` of all of them, which takes longer."""
        is_all = request.query_params.get("all") == "yes"
        most, threads = (MOST_READ, DOCTOR) if is_all else (LOOKED_AT, READS)
        read = partial(Needs.read, self.reads.app, most_looked_at=most)
        found = await self.reads.ask(read, threads=threads)
        person = person_of(request)
        return self.show(
            request,
            "needs.html",
            found=found,
            groups=found.causes.groups[:_SHOWN],
            may_retry=person.may(Right.BULK) and person.may(Right.RETRY),
        )
