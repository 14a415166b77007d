"""Settings with the prefix CELERY_AMENDS_, by Celery's namespace."""

import json
from dataclasses import fields

from amends.backend.settings import OF_BACKEND, Settings

GIVEN = {
    "backend": "redis://localhost:1/3",
    "namespace": "shop",
    "key_prefix": "team:",
    "compensation_queue": "undo",
    "max_countdown": 60.0,
    "timer_spread": 1.5,
    "shards": 8,
    "sweep_interval": 2.0,
    "hard_limit_after": 3.0,
    "give_up_after": 4.0,
    "poison_after": 6,
    "retention": 90.0,
    "remember": 900.0,
    "archive": "shop.archive:archive",
    "acts_kept": 7,
    "acts_retention": 60.0,
    "operator": "SSO_USER",
    "tracebacks": True,
    "monitor_events": False,
    "health_file": "/tmp/health",  # noqa: S108 - a text
    "acknowledged_file": "/tmp/acknowledged",  # noqa: S108 - a text
    "wait_replicas": 1,
    "fast_path": False,
    "traces": False,
    "outbox_url": "django://default",
    "console": {"users": "/etc/amends/users"},
    "console_url": "https://console.example",
    "http_url": "https://shop.example/links",
    "http_key": ["k" * 32, "l" * 32],
}
READ = """
import json, django
django.setup()
from dataclasses import asdict
from site_of_tests.celery import app
from amends.backend.settings import settings_of
print(json.dumps(asdict(settings_of(app))))
"""


def read(project, **given):
    return json.loads(project.run("-c", READ, **given).splitlines()[-1])


def test_each_setting_is_read_by_its_name_with_the_prefix(project):
    assert GIVEN.keys() == {each.name for each in fields(Settings)}
    found = read(project, **{f"CELERY_AMENDS_{name.upper()}": GIVEN[name] for name in GIVEN})
    assert found == GIVEN


def test_options_that_are_a_dict_become_a_part_of_the_url(project):
    assert OF_BACKEND == ("backend_options", "backend_use_ssl")
    found = read(
        project,
        CELERY_AMENDS_BACKEND="sentinel://localhost:1",
        CELERY_AMENDS_BACKEND_OPTIONS={"master_name": "orders"},
    )
    assert "orders" in found["backend"]
    found = read(
        project,
        CELERY_AMENDS_BACKEND="rediss://localhost:1/3",
        CELERY_AMENDS_BACKEND_USE_SSL={"ssl_cert_reqs": "none"},
    )
    assert "ssl_cert_reqs=none" in found["backend"]


def test_a_setting_of_the_projects_own_breaks_nothing(project):
    own = {"AMENDS_SHOP": 1, "AMENDS_BACKEND": "of ours", "AMENDS_RETENTION": "ever"}
    assert read(project, **own)["retention"] == Settings.retention
