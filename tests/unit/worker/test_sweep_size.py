"""How many sagas one sweep takes."""

import pytest

from amends.worker.sweep import taken_of


@pytest.mark.parametrize(("shards", "taken"), [(1, 50), (64, 50), (1_024, 3), (4_096, 1)])
def test_a_log_of_many_shards_is_swept_in_parts_no_larger_than_one_of_few(shards, taken):
    assert taken_of(shards) == taken
