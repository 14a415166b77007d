"""What the log keeps of schedules: their definitions, as workers begin, go and come again."""

from math import inf

import pytest
from celery.schedules import crontab

from amends import DefinitionError, Schedule, UnknownSchedule
from amends.log.profiles import Profile
from amends.log.schedules.state import LEFT_AFTER
from amends.scheduling import definition
from tests.support.engine_saga import Job, job_saga
from tests.support.log_view import keys_like, view_of

INPUT = Job(job_id="1")


def schedule_of(name="minutely", **how):
    return Schedule(name, job_saga, **{"every": 60, "input": INPUT, "overlap": "allow", **how})


def become(yard, name):
    """Let the app be another one."""
    yard.app.main = yard.app.conf.task_default_queue = name


def changed(yard, **how):
    """Return the schedule as another release of the app has it, in place of the one of before."""
    definition.KNOWN.clear()
    return schedule_of(**how)


def test_a_worker_writes_what_its_app_defines(yard):
    schedule = schedule_of(
        cron=crontab(minute=5, hour="1,2"), every=None, time_zone="Europe/Berlin"
    )
    with pytest.raises(UnknownSchedule, match="a worker writes those that its app defines"):
        schedule.state()
    yard.sweep()
    (state,) = yard.log.schedules.read_schedules()
    assert (state.name, state.app_name, state.is_left) == ("minutely", "yard", False)
    assert state.definition == {
        "saga": "job",
        "when": "5 1,2 * * * Europe/Berlin",
        "overlap": "allow",
        "catch_up": 3600.0,
    }


def test_the_definition_of_the_worker_that_began_last_is_kept(yard):
    schedule_of()
    old = yard.firing
    yard.sweep()
    before = dict(definition.KNOWN)
    schedule = changed(yard, every=120)
    yard.firing = yard.worker()
    yard.sweep()
    assert schedule.state().definition["when"] == "every 120 s"
    definition.KNOWN.update(before)
    yard.firing = old
    for _ in range(3):
        yard.sweep(61)
    assert schedule.state().definition["when"] == "every 120 s"
    assert yard.ids() == []
    assert [event.name for event in schedule.history()] == ["schedule.defined", "schedule.changed"]


def test_an_older_definition_is_taken_again_once_no_worker_has_the_newer_one(yard, warnings):
    schedule = schedule_of()
    old, before = yard.firing, dict(definition.KNOWN)
    yard.sweep()
    changed(yard, every=120)
    yard.firing = yard.worker()
    yard.sweep()
    definition.KNOWN.update(before)
    yard.firing = old
    yard.sweep(61)
    assert "a worker that started later defines it otherwise" in warnings.text
    yard.sweep(LEFT_AFTER)
    assert schedule.state().definition["when"] == "every 60 s"
    yard.sweep(60)
    assert yard.ids() != []


def test_one_that_no_worker_defines_stands_still_and_is_kept(yard):
    schedule_of()
    yard.sweep()
    definition.KNOWN.clear()
    yard.sweep(LEFT_AFTER)
    (state,) = yard.log.schedules.read_schedules()
    assert state.is_left
    assert yard.ids() == []
    again = schedule_of()
    yard.firing = yard.worker()
    yard.sweep()
    assert not again.state().is_left
    assert len(yard.ids()) == LEFT_AFTER // 60


def test_it_can_be_forgotten_then(yard):
    schedule_of()
    yard.sweep()
    assert not yard.log.schedules.forget_schedule("minutely")
    yard.clock.advance(LEFT_AFTER)
    assert yard.log.schedules.forget_schedule("minutely")
    assert yard.log.schedules.read_schedules() == []
    assert keys_like(view_of(yard.log).client, "*schedule*") == []
    with pytest.raises(UnknownSchedule):
        yard.log.schedules.forget_schedule("minutely")


def test_two_apps_on_one_log_keep_theirs_apart(yard, warnings):
    become(yard, "yard")
    schedule = schedule_of()
    yard.sweep()
    become(yard, "other")
    other = yard.worker()
    own, yard.firing = yard.firing, other
    yard.sweep(60)
    assert yard.ids() == []
    assert "app yard has one of that name in this log" in warnings.text
    assert schedule.state().app_name == "yard"
    become(yard, "yard")
    yard.firing = own
    yard.sweep()
    assert len(yard.ids()) == 1


def test_the_schedule_of_an_app_that_is_gone_is_taken_over(yard):
    become(yard, "yard")
    schedule = schedule_of()
    yard.sweep()
    app = schedule.state().app
    become(yard, "other")
    yard.firing = yard.worker()
    yard.clock.advance(LEFT_AFTER)
    yard.log.profiles.keep(Profile(app=app))  # a worker of it lives
    yard.sweep()
    assert schedule.state().app_name == "yard"
    yard.sweep(LEFT_AFTER)
    assert schedule.state().app_name == "other"


def test_a_log_that_was_emptied_is_told_again(yard):
    schedule = schedule_of()
    yard.sweep()
    view_of(yard.log).client.flushall()
    yard.sweep()
    yard.sweep()
    assert schedule.state().counts["fired"] == 0
    yard.sweep(60)
    assert len(yard.ids()) == 1


def test_its_keys_share_a_slot(yard):
    schedule_of()
    yard.sweep()
    keys = view_of(yard.log).schedule_keys("minutely")
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
    assert {*keys_like(view_of(yard.log).client, "*schedule*")} == {*keys}


def test_a_history_is_bounded(yard):
    schedule = schedule_of()
    yard.sweep()
    for _ in range(120):
        schedule.pause()
        schedule.resume()
    assert len(schedule.history()) == 100


# What an operator does


def test_a_trigger_starts_its_saga_now(yard):
    schedule = schedule_of(overlap="skip")
    yard.sweep()
    yard.clock.advance(7)
    handle = schedule.trigger(by="ada", why="a test")
    assert handle.id == "minutely-20270301T120007Z"
    yard.sweep(60)
    assert yard.ids() == [handle.id]
    event = schedule.history()[1]
    assert (event.name, event.details) == (
        "schedule.triggered",
        {"saga": handle.id, "by": "ada", "why": "a test"},
    )
    assert (schedule.state().counts["triggered"], schedule.state().counts["skipped"]) == (1, 1)


def test_a_backfill_starts_what_was_due_and_has_no_saga(yard):
    schedule = schedule_of()
    yard.sweep()
    yard.sweep(60)
    noon = definition.datetime.fromisoformat("2027-03-01T12:00:00+00:00")
    until = noon.replace(minute=2)
    handles = schedule.backfill(noon, until, by="ada")
    assert [each.id[-7:] for each in handles] == ["120000Z", "120100Z", "120200Z"]
    assert yard.ids() == [each.id for each in handles]
    yard.sweep(60)
    assert len(yard.ids()) == 3
    with pytest.raises(ValueError, match="more than 1000 ticks"):
        schedule.backfill(noon.replace(year=2026), until)
    with pytest.raises(ValueError, match="time zone"):
        schedule.backfill(noon.replace(tzinfo=None), until)


# What is wrong with a definition


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"every": None}, "say every= or cron=, one of them"),
        ({"cron": crontab()}, "say every= or cron=, one of them"),
        ({"every": 0.5}, "not a whole number of seconds"),
        ({"every": 0}, "not a whole number of seconds"),
        ({"every": 90.5}, "not a whole number of seconds"),
        ({"every": None, "cron": "0 2 * * *"}, r"cron=crontab\(minute=0, hour=2\)"),
        ({"time_zone": "Europe/Berlin"}, "every= counts seconds"),
        ({"every": None, "cron": crontab(), "time_zone": "Europe/Atlantis"}, "no time zone"),
        ({"input": Job}, "input is <class"),
        ({"input": {"job_id": "1"}}, "not a Job or a function"),
        ({"overlap": "wait"}, "not one of"),
        ({"catch_up": 5.0}, "give it 60 or more"),
        ({"catch_up": inf}, "ten years at most"),
        ({"every": inf}, "ten years at most"),
        ({"name": "every minute"}, "a name is 1 to 100"),
        ({"name": "a" * 101}, "a name is 1 to 100"),
    ],
    ids=str,
)
def test_a_wrong_definition_says_what_is_wrong(how, said):
    with pytest.raises(DefinitionError, match=said):
        schedule_of(**how)


def test_a_name_is_given_once():
    schedule = schedule_of()
    assert schedule_of() is not schedule  # a module that is imported anew
    for how in ({"every": 120}, {"input": Job(job_id="another")}, {"input": lambda _: Job()}):
        with pytest.raises(DefinitionError, match="there is another one of this name"):
            schedule_of(**how)


def test_so_is_one_in_a_loop_whose_function_differs_in_what_it_was_given():
    for region in ("north", "north"):
        regional(region)
    with pytest.raises(DefinitionError, match="there is another one of this name"):
        regional("south")


def regional(region):
    return schedule_of(input=lambda _: Job(job_id=region))
