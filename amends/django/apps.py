"""What Django is told of the app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from amends.django.checks import register_checks
from amends.django.connections import keep_connections_fresh


class AmendsConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """The app, by the label `amends`."""

    name = "amends.django"
    label = "amends"
    verbose_name = "Sagas"

    def ready(self) -> None:
        """Import the ``sagas.py`` of each installed app, as the admin's ``admin.py`` is, in web processes and workers alike.

        Raises what such a module raises.
        """
        register_checks()
        keep_connections_fresh()
        autodiscover_modules("sagas")
