"""An order with a worker, a broker and a saga log that are real. The Redis at REDIS_URL must have no other worker."""

import os
import subprocess
import sys
import time

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from orders.models import Order, Product

PATIENCE = 60.0


class EndToEndTest(TransactionTestCase):
    def setUp(self):
        self.tea = Product.objects.create(name="tea", price=450, stock=3)
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop", "worker", "--concurrency", "1"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "PGDATABASE": connection.settings_dict["NAME"]},  # the test's
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(worker.wait)
        self.addCleanup(worker.terminate)

    def place(self, card):
        form = {"customer": "ada", "card": card, "product": self.tea.pk, "quantity": 2}
        response = self.client.post("/", form)
        return Order.objects.get(pk=response.url.strip("/").split("/")[-1])

    def assert_becomes(self, order, state):
        until = time.monotonic() + PATIENCE
        while order.state == "placed" and time.monotonic() < until:
            time.sleep(0.05)
            order.refresh_from_db()
        self.assertEqual(order.state, state)

    def test_orders_are_confirmed_and_rejected(self):
        paid, unpaid = self.place("visa"), self.place("declined")
        self.assert_becomes(unpaid, "rejected")
        self.assert_becomes(paid, "confirmed")
        self.tea.refresh_from_db()
        self.assertEqual(self.tea.stock, 1)
