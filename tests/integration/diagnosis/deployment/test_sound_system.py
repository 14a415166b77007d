"""A system in which nothing is wrong, and what is said of it."""

from amends.diagnosis.deployment.examination import CODES
from tests.integration.diagnosis.deployment.doctor_process import Doctor

# RabbitMQ's, and of breakers of which each worker has one.
ELSEWHERE = {"broker.consumer_timeout", "broker.delayed", "breakers.alone"}


def test_nothing_is_found_in_a_sound_system(doctor, sound_worker):
    assert doctor.finds() == {}


def test_everything_is_looked_at(doctor, sound_worker):
    assert doctor.sees() == CODES.keys() - ELSEWHERE


def test_settings_of_the_whole_app_are_no_finding_where_the_engine_has_its_own(
    doctor, sound_worker
):
    everywhere = {
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "task_acks_on_failure_or_timeout": False,
        "task_annotations": {"another.task": {"acks_late": False}},
    }
    assert doctor.finds(**everywhere) == {}


def test_a_worker_that_beats_is_given_the_time_to_answer(settings, sound_worker):
    hasty = Doctor(settings, first_call=0.0001)
    try:
        assert hasty.finds() == {}
    finally:
        hasty.leave()
