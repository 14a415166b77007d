"""The admin's pages, for ``manage.py test``: sagas of a rehearsal, for its log is what the pages then read."""

from celery import current_app
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import TestCase, TransactionTestCase

from amends import get
from amends.outbox.entry import Entry
from amends.testing import Rehearsal
from orders.sagas import OrderInput, purchase_saga

SAGAS = "/admin/amends/saga/"
OUTBOX = "/admin/amends/outboxentry/"


def user(*permissions, **kinds):
    made = get_user_model().objects.create(username="ada", **kinds)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


def leave(saga_id, **columns):
    """Leave a start in the outbox, as a process that was killed does."""
    entry = Entry.of(saga_id, "purchase", '{"number": 1, "secret": "of ada"}', at=None, after=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO amends_outbox VALUES (%s, '', %s, 'purchase', %s, %s, %s, 0, %s)",
            [entry.entry_id, saga_id, entry.document, entry.written_at, entry.written_at, columns.get("error", "")],
        )  # fmt: skip


class PagesTest(TestCase):
    def setUp(self):
        self.client.force_login(user("view_saga", "view_outboxentry", is_staff=True))
        self.enterContext(Rehearsal())
        for number in (1, 2, 3, 6):  # 3 is undone, 6 cannot be
            purchase_saga.start(OrderInput(number=number), saga_id=f"order-{number}")

    def ids(self, query=""):
        return [saga_id for saga_id, _ in self.client.get(SAGAS + query).context["sagas"].rows]

    def test_the_index_leads_to_both(self):
        for url in (SAGAS, OUTBOX):
            self.assertContains(self.client.get("/admin/"), f'href="{url}"')

    def test_the_list_has_what_is_asked_for(self):
        self.assertEqual(self.ids(), ["order-6", "order-3", "order-2", "order-1"])
        self.assertEqual(self.ids("?status=completed"), ["order-2", "order-1"])
        self.assertEqual(self.ids("?status=stuck&saga=purchase"), ["order-6"])
        self.assertEqual(self.ids("?saga=counted"), [])
        self.assertEqual(self.ids("?q=order-3"), ["order-3"])
        self.assertEqual(self.ids("?q=order"), self.ids())
        self.assertEqual(self.ids("?q=order-3&status=stuck"), [])
        self.assertEqual(self.ids("?q=a b"), [])

    def test_what_may_not_be_is_left_out(self):
        self.assertEqual(self.ids("?status=none&after=nonsense"), self.ids())
        self.assertEqual(self.ids("?q=a.b=c"), [])
        self.assertEqual(self.client.get(f"{OUTBOX}?nonsense=1").status_code, 302)

    def test_a_filter_keeps_the_search_and_marks_what_is_chosen(self):
        page = self.client.get(f"{SAGAS}?q=order&status=stuck")
        self.assertContains(page, 'href="?q=order&amp;status=stuck&amp;saga=purchase"')
        self.assertContains(page, '<li class="selected"><a href="?q=order&amp;status=stuck">stuck')
        self.assertContains(page, '<input type="hidden" name="status" value="stuck">')

    def test_a_saga_has_its_steps_its_history_and_what_can_be_done(self):
        page = self.client.get(f"{SAGAS}order-6/change/")
        for text in (
            *("It is stuck, and waits for an operator", "the warehouse is closed", "step.failed"),
            *("celery -A rehearsal saga retry order-6", "What a cancel would do", "reserve"),
        ):
            self.assertContains(page, text)

    def test_what_an_activity_says_is_text_and_an_input_is_not_shown(self):
        page = self.client.get(f"{SAGAS}order-3/change/")
        self.assertContains(page, "&lt;b&gt;no money&lt;/b&gt;")
        self.assertNotContains(page, "<b>no money")
        self.assertNotContains(page, '"number"')

    def test_a_saga_that_is_not_there_is_not_found(self):
        for saga_id in ("order-7", "%20", "a%0Ab"):
            self.assertEqual(self.client.get(f"{SAGAS}{saga_id}/change/").status_code, 404)

    def test_nothing_is_changed(self):
        self.client.force_login(get_user_model().objects.create_superuser("root"))
        before = get("order-6").history()
        for url in (f"{SAGAS}order-6/change/", SAGAS, OUTBOX):
            self.client.post(url, {"action": "delete_selected"})
        self.assertEqual(get("order-6").history(), before)
        for path in (
            "saga/add/",
            "saga/order-6/delete/",
            "outboxentry/add/",
            "outboxentry/1/change/",
        ):
            self.assertEqual(self.client.get(f"/admin/amends/{path}").status_code, 404)

    def test_no_url_asks_what_a_document_holds(self):
        for lookup in ("document__contains", "document__regex", "document"):
            self.assertEqual(self.client.get(OUTBOX, {lookup: "7"}).status_code, 400)

    def test_a_log_that_is_away_is_a_sentence(self):
        current_app.conf.amends_backend = "redis://127.0.0.1:1/0"
        for url in (SAGAS, f"{SAGAS}order-3/change/"):
            page = self.client.get(url)
            self.assertContains(page, "cannot be reached", status_code=503)

    def test_a_setting_that_is_wrong_is_a_sentence(self):
        current_app.conf.amends_shards = "many"
        self.assertContains(self.client.get(SAGAS), "amends_shards", status_code=503)

    def test_the_console_is_linked_where_there_is_one(self):
        self.assertNotContains(self.client.get(SAGAS), "Console")
        current_app.conf.amends_console_url = "https://console.example"
        for url in (SAGAS, f"{SAGAS}order-3/change/"):
            self.assertContains(self.client.get(url), 'href="https://console.example"')

    def test_the_outbox_has_what_waits_and_what_fails(self):
        leave("order-8")
        leave("order-9", error="UnreadableData: <i>odd</i>")
        page = self.client.get(OUTBOX)
        self.assertContains(page, "order-8")
        self.assertContains(page, "&lt;i&gt;odd&lt;/i&gt;")
        self.assertNotContains(page, "of ada")
        self.assertNotContains(self.client.get(f"{OUTBOX}?state=failing"), "order-8")
        self.assertNotContains(self.client.get(f"{OUTBOX}?state=waiting"), "order-9")
        self.assertNotContains(self.client.get(f"{OUTBOX}?q=order-9"), "order-8")

    def test_an_outbox_without_its_table_is_a_sentence(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE amends_outbox RENAME TO elsewhere")
        page = self.client.get(OUTBOX)
        self.assertContains(page, "has no table amends_outbox", status_code=503)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO amends_outbox")

    def test_data_can_be_dumped(self):
        leave("order-8")
        call_command("dumpdata", "amends", verbosity=0)
        call_command("dumpdata", "amends", "--all", verbosity=0)


class PermissionsTest(TestCase):
    def statuses(self, who):
        self.client.force_login(who)
        with Rehearsal():
            purchase_saga.start(OrderInput(number=1), saga_id="order-1")
            urls = (SAGAS, f"{SAGAS}order-1/change/", OUTBOX)
            return [self.client.get(url).status_code for url in urls]

    def test_who_is_no_staff_has_to_log_in(self):
        self.assertEqual(self.statuses(user("view_saga", "view_outboxentry")), [302, 302, 302])
        self.client.logout()
        self.assertEqual(self.client.get(SAGAS).status_code, 302)

    def test_staff_needs_the_permission_of_each(self):
        self.assertEqual(self.statuses(user(is_staff=True)), [403, 403, 403])

    def test_the_permission_for_sagas_is_none_for_the_outbox(self):
        self.assertEqual(self.statuses(user("view_saga", is_staff=True)), [200, 200, 403])

    def test_the_permission_for_the_outbox_is_none_for_sagas(self):
        self.assertEqual(self.statuses(user("view_outboxentry", is_staff=True)), [403, 403, 200])


class FlushedTest(TransactionTestCase):
    """Each of the two leaves a row: Django empties the table in between, for it has a model."""

    def test_a_row_that_a_test_leaves_is_gone(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM amends_outbox")
            self.assertEqual(cursor.fetchone()[0], 0)
        leave("order-8")

    test_as_it_is_after_the_other = test_a_row_that_a_test_leaves_is_gone
