"""The list of sagas. Its URL is the filter."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from amends.console.access.roles import Right
from amends.console.access.sign_in import person_of
from amends.console.bulk.selection import BULK_ACTS
from amends.console.pages.filters import STATUSES, Filter
from amends.console.pages.page import ConsolePage, lead_to, page, path_of
from amends.dispatch.children import STARTS
from amends.log.queries.listing import Page

PAGE: Final = 50
"""Sagas on a page."""

_NOTHING: Final = Page(summaries=(), after=None, looked_at=0, is_cut=False)


class SagasPage(ConsolePage):
    """The list of sagas."""

    menu_label = "Sagas"
    path = "/sagas"
    route_name = "sagas"

    @page("", name="sagas")
    async def index(self, request: Request) -> Response:
        """Show a page of the list; an id that is one leads to its saga."""
        asked, after = Filter.read(request.query_params), request.query_params.get("after")
        found, wrong = _NOTHING, ""
        try:
            if asked.q and "=" not in asked.q and not after and not asked.q.endswith("*"):
                whole = await self.reads.find(asked.query(is_whole_id=True), limit=1)
                if whole.summaries:
                    return lead_to(request, "saga", saga_id=whole.summaries[0].id)
            found = await self.reads.find(asked.query(), limit=PAGE, after=after or None)
        except ValueError as error:
            wrong = str(error)
        here, person = path_of(request, "sagas"), person_of(request)
        is_bulk = person.may(Right.BULK)
        return self.show(
            request,
            "sagas.html",
            status=400 if wrong else 200,
            filter=asked,
            asked_for=asked.q,
            is_filtered=bool(asked.given),
            statuses=STATUSES,
            names=sorted(STARTS),
            page=found,
            wrong=wrong,
            is_first=not after,
            first_url=here + asked.url_query(),
            next_url=here + asked.url_query(after=found.after) if found.after else None,
            kept=[*asked.given.items()],
            bulk_acts=[each for each in BULK_ACTS if is_bulk and person.may(each)],
        )
