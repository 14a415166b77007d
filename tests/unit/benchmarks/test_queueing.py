"""The model of a node against what is known of queues."""

import pytest

from benchmarks.capacity.queueing import Load, simulate, wait_of_md1


@pytest.mark.parametrize("utilisation", [0.3, 0.5, 0.8])
def test_with_one_transition_and_no_sync_requests_wait_as_in_md1(utilisation):
    load = Load(rate=utilisation, costs=[1.0])
    waits = simulate(load, sagas=50_000, seed=1)
    assert waits.mean_turn == pytest.approx(wait_of_md1(utilisation, 1.0), rel=0.05)


def test_sagas_that_come_back_load_a_node_as_so_many_more_requests():
    load = Load(rate=0.1, costs=[1.0] * 5, gap=1_000.0)
    assert load.utilisation == pytest.approx(0.5)
    waits = simulate(load, sagas=15_000, seed=1)
    assert waits.mean_turn == pytest.approx(wait_of_md1(0.5, 1.0), rel=0.05)


def test_a_request_that_comes_alone_is_answered_after_its_run_and_a_sync():
    waits = simulate(Load(rate=1e-6, costs=[1.0], sync=3.0), sagas=1_000, seed=1)
    assert waits.turns[-1] == 0.0
    assert waits.answer(50) == pytest.approx(4.0)


def test_requests_share_a_sync():
    """One sync a request would take twice the time that there is."""
    waits = simulate(Load(rate=0.5, costs=[1.0], sync=4.0), sagas=50_000, seed=1)
    assert 5.0 < waits.answer(50) < 30.0


def test_upkeep_takes_its_part_and_is_not_counted():
    load = Load(rate=0.25, costs=[1.0], upkeep_rate=0.25, upkeep_cost=1.0)
    waits = simulate(load, sagas=40_000, seed=1)
    assert len(waits.answers) == 32_000
    assert waits.mean_turn == pytest.approx(wait_of_md1(0.5, 1.0), rel=0.05)


def test_a_seed_gives_the_same_run_again():
    load = Load(rate=0.5, costs=[0.5, 1.0])
    assert simulate(load, sagas=100, seed=7) == simulate(load, sagas=100, seed=7)
    assert simulate(load, sagas=100, seed=7) != simulate(load, sagas=100, seed=8)


def test_a_load_that_no_thread_carries_is_refused():
    with pytest.raises(ValueError, match=r"utilisation is 1\.20"):
        simulate(Load(rate=1.2, costs=[1.0]), sagas=1, seed=1)
