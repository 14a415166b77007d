"""Celery's configuration of the reference system; each line can be overridden by environment."""

import os
from urllib.parse import urlsplit

broker_url = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
amends_backend = os.environ.get("AMENDS_BACKEND", "redis://127.0.0.1:6379/1")
amends_compensation_queue = os.environ.get("AMENDS_COMPENSATION_QUEUE", "compensations")

# Whether the engine may go past the public calls of Celery, kombu and redis-py, for speed.
amends_fast_path = os.environ.get("AMENDS_FAST_PATH", "on").lower() not in {
    "off",
    "false",
    "0",
    "no",
}

# Who signs in to the console, as lines of its file of users; nobody needs to on a loopback.
amends_console = {
    "users": "env://CONSOLE_USERS" if os.environ.get("CONSOLE_USERS") else None,
    "key": os.environ.get("CONSOLE_KEY"),
    "links": {"Flower": f"{os.environ['FLOWER_URL']}/task/{{saga_id}}"}
    if os.environ.get("FLOWER_URL")
    else {},
}

# Replicas of the log's Redis that have what a transition wrote before it is answered.
amends_wait_replicas = int(os.environ.get("AMENDS_WAIT_REPLICAS", "0"))

# A file in which each worker keeps what the log acknowledged to it, to find after a failover what is lost.
amends_acknowledged_file = os.environ.get("AMENDS_ACKNOWLEDGED_FILE")

# A file that each worker touches while it lives; %n is the worker's own name. None is written without it.
amends_health_file = os.environ.get("AMENDS_HEALTH_FILE")

# Redis as broker: who publishes must not wait without end for one that hangs.
broker_transport_options = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}

# Where `call_external_service` may call: hosts as name or name:port.
external_hosts = tuple(
    os.environ.get(
        "EXTERNAL_HOSTS", urlsplit(os.environ.get("SERVICES_URL", "http://127.0.0.1:8080")).netloc
    ).split(",")
)

imports = (
    "tasks.orders",
    "tasks.inventory",
    "tasks.payment",
    "tasks.shipping",
    "tasks.notification",
    "tasks.external",
    "tasks.bank",
    "tasks.risk",
    "tasks.settlement",
    "tasks.invoicing",
    "sagas.order",
    "sagas.payment",
    "sagas.invoice",
    "sagas.fulfilment",
    "sagas.external_call",
    "sagas.settlement",
)

# `celery -A tasks worker` consumes each of these; an undo never waits behind a forward backlog.
task_create_missing_queues = True
task_default_queue = "orders"
task_queues = {
    name: {"exchange": name, "routing_key": name}
    for name in (
        "orders",
        "inventory",
        "payments",
        "shipping",
        "notifications",
        "external",
        "compensations",
    )
}
worker_prefetch_multiplier = 1

# Flower shows a task from the moment it is sent.
task_send_sent_event = True
task_track_started = True
worker_send_task_events = True

broker_connection_retry_on_startup = True
worker_hijack_root_logger = False
