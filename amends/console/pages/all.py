"""All pages, in the order of the menu."""

from typing import Final

from amends.console.pages.acts import ActsPage
from amends.console.pages.bulk import BulkPage
from amends.console.pages.circuits import CircuitsPage
from amends.console.pages.installation import InstallationPage
from amends.console.pages.needs import NeedsPage
from amends.console.pages.page import ConsolePage
from amends.console.pages.saga import SagaPage
from amends.console.pages.sagas import SagasPage

INDEX: Final = NeedsPage
PAGES: Final[tuple[type[ConsolePage], ...]] = (
    SagasPage,
    SagaPage,
    BulkPage,
    CircuitsPage,
    InstallationPage,
    ActsPage,
)
