"""From a seed to a schedule of faults."""

from tests.chaos.kinds import KINDS, PRIMARY_DOWN, PROBE_KILLED
from tests.chaos.schedule import NODE_FAULTS, Options, draw_schedule
from tests.chaos.system import WORKERS


def drawn(**changes):
    return draw_schedule(Options(**{"seed": 7, "orders": 50, "minutes": 10.0, **changes}))


def test_a_seed_is_one_schedule():
    """Also in another version of Python or of this code: a seed that was noted shows what it showed."""
    schedule = drawn(minutes=1.0)
    assert schedule == drawn(minutes=1.0)
    told = [f"{fault.at} {fault.kind} {fault.target} {fault.lasts}" for fault in schedule.faults]
    assert (len(told), told[:2]) == (
        25,
        ["0.165 log killed  3.848", "0.581 line muted orders-2 11.682"],
    )


def test_orders_and_faults_come_in_order_and_end_with_the_run():
    schedule = drawn()
    assert len(schedule.orders) == 50
    assert list(schedule.orders) == sorted(schedule.orders)
    times = [fault.at for fault in schedule.faults]
    assert times == sorted(times)
    assert all(fault.at + fault.lasts <= schedule.lasts + 0.01 for fault in schedule.faults)


def test_every_kind_of_fault_is_drawn_in_time_and_can_be_done():
    kinds = {fault.kind for seed in range(5) for fault in drawn(seed=seed).faults}
    kinds |= {fault.kind for fault in drawn(outages=True).faults}
    kinds |= {fault.kind for fault in drawn(log="cluster").faults}
    kinds |= {fault.kind for fault in drawn(broker="redis-sentinel").faults}
    assert "bank faulty" not in kinds
    kinds |= {fault.kind for fault in drawn(saga="fulfilment").faults}
    assert kinds == set(KINDS)


def test_a_node_of_a_cluster_is_struck_in_each_twenty_seconds_in_every_way():
    faults = [each for each in drawn(minutes=4.0, log="cluster").faults if each.kind in NODE_FAULTS]
    assert {int(fault.at // 20) for fault in faults} == set(range(12))
    assert {fault.kind for fault in faults} == set(NODE_FAULTS)
    lines = {"line refused", "line muted", "answers lost"}
    assert lines.isdisjoint(fault.kind for fault in drawn(minutes=4.0, log="cluster").faults)


def test_the_primary_goes_down_in_each_half_minute_of_a_run_with_outages_and_never_else():
    for minutes, count in ((0.5, 1), (2.0, 4), (10.0, 20)):
        faults = drawn(minutes=minutes, outages=True).faults
        outages = [fault for fault in faults if fault.kind == PRIMARY_DOWN]
        assert [int(fault.at // 30) for fault in outages] == list(range(count))
        assert all(fault.lasts >= 14 for fault in outages)
    assert {fault.kind for fault in drawn().faults}.isdisjoint({PRIMARY_DOWN, PROBE_KILLED})


def test_in_a_run_with_outages_breakers_keep_their_redis_and_services_their_counts():
    kinds = {fault.kind for seed in range(5) for fault in drawn(seed=seed, outages=True).faults}
    assert "worker killed" in kinds
    assert kinds.isdisjoint({"log killed", "line muted", "answers lost", "services killed"})


def held(fault):
    return KINDS[fault.kind].held(fault)


def test_what_was_hit_recovers_before_it_is_hit_again():
    for seed in range(20):
        faults = drawn(seed=seed).faults
        for number, fault in enumerate(faults):
            until = fault.at + fault.lasts + KINDS[fault.kind].rests
            clashing = [
                later
                for later in faults[number + 1 :]
                if later.at < until and held(later) & held(fault)
            ]
            assert not clashing


def test_one_worker_is_always_left_alone_but_when_all_are_killed():
    for seed in range(20):
        single = [
            fault
            for fault in drawn(seed=seed).faults
            if held(fault) & {"process", "line"} and fault.target
        ]
        for fault in single:
            until = fault.at + fault.lasts
            meanwhile = {
                other.target
                for other in single
                if other.at <= until and other.at + other.lasts >= fault.at
            }
            assert len(meanwhile) < len(WORKERS)
