"""Orders in a rehearsal: Django's client and test database, the saga in this process, no worker and no Redis."""

from django.contrib.auth import get_user_model
from django.test import TestCase

from amends import NotDone
from amends.testing import Rehearsal
from orders.models import Order, Payment, Product
from orders.sagas import order_saga


class OrderTest(TestCase):
    def setUp(self):
        self.tea = Product.objects.create(name="tea", price=450, stock=3)
        self.rehearsal = self.enterContext(Rehearsal())

    def place(self, **given):
        """Place an order by the form. A TestCase commits nothing, so the test runs what a commit would."""
        form = {"customer": "ada", "card": "visa", "product": self.tea.pk, "quantity": 2, **given}
        with self.captureOnCommitCallbacks(execute=True):
            response = self.client.post("/", form)
        return Order.objects.get(pk=response.url.strip("/").split("/")[-1])

    def assert_stock(self, left):
        self.tea.refresh_from_db()
        self.assertEqual(self.tea.stock, left)

    def test_an_order_is_confirmed(self):
        order = self.place()
        self.assertEqual(order.state, "confirmed")
        self.assertEqual(Payment.objects.get(order=order).cents, 900)
        self.assert_stock(1)
        self.assertContains(self.client.get(order.get_absolute_url()), "confirmed")

    def test_an_order_that_is_not_paid_gives_its_stock_back(self):
        order = self.place(card="declined")
        self.assertEqual(order.state, "rejected")
        self.assertFalse(Payment.objects.exists())
        self.assert_stock(3)
        self.assertEqual(self.rehearsal.undone, ["reserve_stock", "accept_order"])

    def test_an_order_of_too_many_is_rejected(self):
        self.assertEqual(self.place(quantity=4).state, "rejected")
        self.assert_stock(3)

    def test_a_card_is_charged_once_though_the_reply_is_lost(self):
        self.rehearsal.at(order_saga, "charge_card").loses_reply()
        order = self.place()
        self.assertEqual(order.state, "confirmed")
        self.assertEqual(Payment.objects.count(), 1)

    def test_a_confirmation_that_fails_for_a_while_is_made_in_the_end(self):
        self.rehearsal.at(order_saga, "confirm_order").raises(NotDone("busy"), times=2)
        self.assertEqual(self.place().state, "confirmed")

    def test_a_form_with_a_mistake_starts_nothing(self):
        with self.captureOnCommitCallbacks(execute=True):
            response = self.client.post("/", {"customer": "ada"})
        self.assertContains(response, "This field is required")
        self.assertEqual(self.rehearsal.calls, [])

    def test_the_admin_shows_an_order_and_its_saga(self):
        order = self.place(card="declined")
        self.client.force_login(get_user_model().objects.create_superuser("ada"))
        url = f"/admin/amends/saga/{order.pk}/change/"
        self.assertContains(self.client.get("/admin/orders/order/"), url)
        self.assertContains(self.client.get(url), "the card is declined")
