"""Who did what: the acts of operators over all sagas, circuits and schedules."""

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from amends.cli.formatting import time_span
from amends.console.pages.page import ConsolePage, page, path_of
from amends.console.views.text import url_query
from amends.log.queries.acts import ActPage, ActQuery, find_acts

_SHOWN: Final = 50
_NAMES: Final = ("since", "by", "act", "saga_id", "saga")


class ActsPage(ConsolePage):
    """What operators did, the newest first. The URL is the filter."""

    menu_label = "Who did what"
    path = "/acts"
    route_name = "acts"

    @page("", name="acts")
    async def index(self, request: Request) -> Response:
        """Show a page of acts."""
        asked = {name: request.query_params.get(name, "").strip() for name in _NAMES}
        after, wrong = request.query_params.get("after"), ""
        found: ActPage | None = None
        given = {name: value for name, value in asked.items() if value}
        try:
            since = time_span(given["since"]) if "since" in given else None
            query = ActQuery(
                since=since,
                by=given.get("by"),
                act=given.get("act"),
                saga_id=given.get("saga_id"),
                saga=given.get("saga"),
            )
            ask = partial(find_acts, self.reads.app, query, limit=_SHOWN, after=after or None)
            found = await self.reads.ask(ask)
        except ValueError as error:
            wrong = str(error)
        here = path_of(request, "acts")
        after = found.after if found else None
        return self.show(
            request,
            "acts.html",
            status=400 if wrong else 200,
            asked=asked,
            page=found,
            wrong=wrong,
            next_url=here + url_query({**given, "after": after}) if after else None,
        )
