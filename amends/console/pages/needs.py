"""What needs a person: sagas that are stuck, by their causes, and what stands still beneath all of them."""

from starlette.requests import Request
from starlette.responses import Response

from amends.console.pages.page import ConsolePage, page


class NeedsPage(ConsolePage):
    """What needs a person."""

    menu_label = "Needs a person"
    path = "/"
    route_name = "index"

    @page("", name="index")
    async def index(self, request: Request) -> Response:
        """Show the causes of stuck sagas, the most frequent first."""
        return self.show(request, "needs.html")
