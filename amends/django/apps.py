"""What Django is told of the app."""

from django.apps import AppConfig


class AmendsConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """The app, by the label `amends`."""

    name = "amends.django"
    label = "amends"
    verbose_name = "amends"
