"""The tests of the project pass: by ``manage.py test`` and by pytest-django, on SQLite and on PostgreSQL."""

import pytest

from tests.integration.django.conftest import Project


@pytest.fixture(params=["sqlite", "postgresql"])
def tested(request, tmp_path, urls):
    environment = dict(urls)
    if request.param == "postgresql":
        environment["POSTGRES_PORT"] = str(request.getfixturevalue("postgres").port)
    return Project(tmp_path, environment)


@pytest.mark.parametrize(("cases", "count"), [("admin_cases.py", 21), ("rehearsal_cases.py", 4)])
def test_the_cases_pass(tested, cases, count):
    told = tested.run("manage.py", "test", "--pattern", cases)
    assert f"Ran {count} tests" in told


def test_the_cases_of_pytest_pass(project):
    pytest.importorskip("pytest_django")
    told = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "orders/pytest_cases.py")
    assert "2 passed" in told


PAGES = """
import re
import django; django.setup()
from django.test import Client
from django.contrib.auth import get_user_model
from orders.sagas import OrderInput, purchase_saga
ids = [f"order-{number}" for number in range(5200)]
purchase_saga.start_many([OrderInput(number=1)] * len(ids), saga_ids=ids)
client = Client()
client.force_login(get_user_model().objects.create_superuser("ada"))
url, seen, pages = "/admin/amends/saga/", [], 0
while url:
    text = client.get(url).content.decode()
    seen += re.findall(r"/admin/amends/saga/([^/]+)/change/", text)
    pages += 1
    found = re.search(r'<a href="([^"]+)" rel="next">', text)
    url = found and "/admin/amends/saga/" + found[1].replace("&amp;", "&")
assert sorted(seen) == sorted(ids), len(seen)
print(pages)
"""


def test_a_list_of_thousands_is_walked_page_by_page(project):
    project.run("manage.py", "migrate", "-v0")
    assert project.run("-c", PAGES).splitlines()[-1] == "104"
