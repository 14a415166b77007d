"""Commands are counted by the node that got them."""

from amends.backend.scripts import DIGESTS
from benchmarks.cluster.tally import Sent, tally
from benchmarks.monitor import Command


def script(name, *keys):
    return Command(0, f"EVALSHA {DIGESTS[name]} {len(keys)} {' '.join(keys)} argument")


def of(tag, saga_id="order-1"):
    return script(
        "claim_step", f"amends:{{{tag}}}:saga:{saga_id}", f"amends:{{{tag}}}:history:{saga_id}"
    )


def node_of(key):
    return int(key[key.index("{") + 1])


def test_a_script_is_read_by_its_name_and_its_saga():
    sent = Sent.read(of(0))
    assert (sent.name, sent.saga) == ("claim_step", "order-1")
    assert sent.keys == ("amends:{0}:saga:order-1", "amends:{0}:history:order-1")


def test_commands_of_sagas_are_counted_node_by_node():
    found = tally([[of(0), of(0)], [of(1, "order-2")]], node_of, sagas=2)
    assert found.by_node == [2, 1]
    assert found.by_name == {"claim_step": 1.5}
    assert (found.each, found.skew) == (1.5, 2.0)
    assert (found.elsewhere, found.strays, found.on_several) == (0, 0, 0)


def test_a_command_at_a_node_that_has_not_its_key_is_told():
    found = tally([[of(0)], [of(0)]], node_of, sagas=1)
    assert (found.elsewhere, found.on_several) == (1, 1)


def test_a_command_of_no_saga_is_told_and_housekeeping_is_left_out():
    strange = Command(0, "GET amends:{1}:definitions")
    sweep = script("take_due", "amends:{1}:due")
    live = Command(0, "ZCARD amends:{1}:due")
    assert tally([[], [strange, sweep, live]], node_of, sagas=1).strays == 1
