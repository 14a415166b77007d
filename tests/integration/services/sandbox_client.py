"""How the tests of the services start a server and talk to it: as anybody would, from outside."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

REPOSITORY = Path(__file__).parents[3]
TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """One of the services' idempotent POSTs, with a body for it that is accepted."""

    service: str
    path: str
    fields: dict[str, Any]
    status: int = 201
    undoable: bool = True

    def body(self, order_id: str, **changed: object) -> dict[str, Any]:
        return {"order_id": order_id, **self.fields, **changed}


def _charges(channel: str) -> Receiver:
    return Receiver(
        service=f"payments.{channel}",
        path=f"/payments/{channel}/charges",
        fields={"user_id": "user-1", "amount": "19.90", "currency": "EUR"},
    )


PRIMARY = _charges("primary")
FALLBACK = _charges("fallback")
INVENTORY = Receiver(
    service="inventory",
    path="/inventory/reservations",
    fields={"items": [{"product_id": "plentiful", "quantity": 2}]},
)
SHIPPING = Receiver(
    service="shipping",
    path="/shipping/shipments",
    fields={"items": [{"product_id": "plentiful", "quantity": 2}], "address": "1 Long Road"},
)
NOTIFICATIONS = Receiver(
    service="notifications",
    path="/notifications",
    fields={"user_id": "user-1", "message": "Your order is on its way."},
    status=202,
    undoable=False,
)
AUTHORIZATIONS = Receiver(
    service="bank.authorizations", path="/bank/authorizations", fields=PRIMARY.fields
)
INVOICES = Receiver(
    service="invoices",
    path="/invoices",
    fields={"user_id": "user-1", "net": "16.72", "tax": "3.18", "currency": "EUR"},
)
EXTERNAL = Receiver(
    service="external", path="/external/echo", fields={"n": 1}, status=200, undoable=False
)
RECEIVERS = (
    *(INVENTORY, PRIMARY, FALLBACK, AUTHORIZATIONS, INVOICES),
    *(SHIPPING, NOTIFICATIONS, EXTERNAL),
)
UNDOABLE = tuple(receiver for receiver in RECEIVERS if receiver.undoable)


class Sandbox:
    """A client of one running server; safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(
            base_url=url, timeout=TIMEOUT, limits=httpx.Limits(max_connections=None)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def post(
        self, receiver: Receiver, order_id: str, key: str, **changed: object
    ) -> httpx.Response:
        return self.http.post(
            receiver.path, json=receiver.body(order_id, **changed), headers={"Idempotency-Key": key}
        )

    def undo(self, receiver: Receiver, key: str) -> httpx.Response:
        return self.http.delete(f"{receiver.path}/{key}")

    def find(self, receiver: Receiver, key: str) -> httpx.Response:
        return self.http.get(f"{receiver.path}/{key}")

    def set_stock(self, product_id: str, quantity: int) -> None:
        self.http.put(
            f"/inventory/stock/{product_id}", json={"quantity": quantity}
        ).raise_for_status()

    def stock(self, product_id: str) -> int:
        listed = self.http.get("/inventory/stock").raise_for_status().json()
        return {row["product_id"]: row["quantity"] for row in listed}[product_id]

    def set_faults(self, receiver: Receiver, **faults: object) -> None:
        self.http.put(f"/faults/{receiver.service}", json=faults).raise_for_status()

    def ledger(self, order_id: str) -> dict[str, Any]:
        return self.http.get("/ledger", params={"order_id": order_id}).raise_for_status().json()


class ServerProcess:
    """``python -m services`` on a free port of its own."""

    def __init__(self, database: Path, *, directory: Path = REPOSITORY, **environment: str) -> None:
        settings = {"SERVICES_PORT": "0", "SERVICES_DATABASE_URL": f"sqlite:///{database}"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services"],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.announcement = self.process.stdout.readline().strip()
        self.url = self.announcement.rpartition(" ")[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:12]}"
