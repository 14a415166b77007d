"""Who hears of a publication: what is pushed as a text is seen by none of them."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from typing import Any, Final

from celery import signals
from kombu import Producer

from amends.backend.connection import is_original

_TRACER: Final = "opentelemetry.instrumentation.celery"


def is_unheard(app: Any, *, is_traced: bool) -> bool:
    """Tell whether nobody hears of a publication, nor has a hand in it.

    is_traced: whether the message brings the headers of its saga's trace. OpenTelemetry's instrumentation of Celery, which would
        write such headers, then has nothing to add but a span of the publication.
    """
    heard = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    return (
        not any(_is_heard(each, but_for_tracer=is_traced) for each in heard)
        and is_original(app.amqp.send_task_message, "celery.app.amqp")
        and app.producer_pool.Producer is Producer
        and is_original(Producer.publish, "kombu.messaging")
        and is_original(Producer._publish, "kombu.messaging")  # noqa: SLF001
    )


def _is_heard(signal: Any, *, but_for_tracer: bool) -> bool:
    receivers = [each[1] for each in signal.receivers]
    if but_for_tracer:
        receivers = [each for each in receivers if getattr(each, "__module__", "") != _TRACER]
    return bool(receivers)
