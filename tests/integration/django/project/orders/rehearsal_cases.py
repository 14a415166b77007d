"""Starts on commit in the tests of a project, for ``manage.py test``."""

from django.db import transaction
from django.test import TestCase, TransactionTestCase

from amends import UnknownSaga
from amends.testing import Rehearsal
from orders.models import Order
from orders.sagas import OrderInput, counted_saga


def place(number):
    """Write an order and start its saga, as a view does."""
    with transaction.atomic():
        Order.objects.create(number=number)
        return counted_saga.start_on_commit(OrderInput(number=number))


class InTestCase(TestCase):
    def setUp(self):
        self.rehearsal = self.enterContext(Rehearsal())

    def test_what_is_captured_and_executed_starts(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            handle = place(1)
            with self.assertRaises(UnknownSaga):
                handle.status
        self.assertEqual((len(callbacks), handle.status), (1, "completed"))

    def test_what_is_captured_alone_does_not(self):
        with self.captureOnCommitCallbacks() as callbacks:
            place(1)
        self.assertEqual((len(callbacks), self.rehearsal.calls), (1, []))

    def test_what_is_rolled_back_does_not(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            try:
                with transaction.atomic():
                    place(1)
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        self.assertEqual((callbacks, self.rehearsal.calls), ([], []))


class InTransactionTestCase(TransactionTestCase):
    def test_a_commit_starts(self):
        with Rehearsal() as rehearsal:
            place(1)
        self.assertEqual(rehearsal.done, ["reserve"])
