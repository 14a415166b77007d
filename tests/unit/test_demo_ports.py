"""The ports of the servers that the demo and the tests run."""

from demo.ports import free_port


def test_no_port_is_given_twice():
    ports = [free_port() for _ in range(1_000)]
    assert len({*ports}) == len(ports)
