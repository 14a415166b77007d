"""Settings of an app that break sagas, one at a time."""

import pytest

from demo.ports import free_port

SETTINGS = {
    "config.invalid": {"amends_shard": 64},
    "config.unread": {"AMENDS_SHARD": 64},
    "config.imports": {"imports": ["no_such_module"]},
    "config.links": {"amends_http_url": "https://shop.example/links"},
    "log.in_process": {"amends_backend": "memory://doctor"},
    "tasks.eager": {"task_always_eager": True},
    "tasks.late_acks": {"task_annotations": {"*": {"acks_late": False}}},
    "tasks.lost_worker": {"task_annotations": {"examined.work": {"reject_on_worker_lost": False}}},
    "tasks.failure_acks": {"task_annotations": {"*": {"acks_on_failure_or_timeout": False}}},
    "tasks.max_retries": {"task_annotations": {"*": {"max_retries": 3}}},
    "broker.socket_timeout": {"broker_transport_options": {}},
    "broker.away": {"broker_url": "nonsense://there"},
    "broker.queues": {"task_create_missing_queues": False, "amends_compensation_queue": "other"},
}


@pytest.mark.parametrize("code", SETTINGS)
def test_a_setting_that_breaks_sagas_is_found(doctor, sound_worker, code):
    assert doctor.finds(**SETTINGS[code]).keys() == {code}


def test_a_backend_that_is_no_redis_is_told_in_a_sentence(doctor, sound_worker):
    found = doctor.finds(amends_backend="sentinel://log:26379")
    assert "amends_backend names Sentinels" in found["config.invalid"]


def test_a_route_that_leads_nowhere_is_found(doctor, sound_worker):
    found = doctor.finds(task_routes="no_such_module.route")
    assert found.keys() == {"broker.queues"}
    assert "No module named 'no_such_module'" in found["broker.queues"]


def test_an_option_that_was_changed_is_named_with_its_tasks(doctor, sound_worker):
    said = doctor.finds(**SETTINGS["tasks.late_acks"])["tasks.late_acks"]
    assert said.startswith(
        "acks_late is False on amends.advance, examined.undo_work, examined.work: "
    )


@pytest.mark.parametrize(
    ("max_countdown", "timeout", "found"),
    [
        (300.0, 600, False),  # 300 s, and the 20 s of a step until its hard limit
        (300.0, 599, True),  # more than half of it
        (5.0, 26, False),
        (5.0, 24, True),
    ],
)
def test_a_broker_that_delivers_again_what_a_worker_still_holds_is_found(
    doctor, sound_worker, max_countdown, timeout, found
):
    options = {"visibility_timeout": timeout, "socket_timeout": 5.0}
    codes = doctor.finds(
        amends_max_countdown=max_countdown, broker_transport_options=options
    ).keys()
    assert codes == ({"broker.visibility_timeout"} if found else set())


def test_neither_the_log_nor_the_broker_has_to_be_there(doctor):
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    found = doctor.finds(amends_backend=nowhere, broker_url=nowhere)
    assert found.keys() == {"log.away", "broker.away"}
