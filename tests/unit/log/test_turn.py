"""A worker's one place for attempts that run apart."""

import os
import signal

from amends.log.turn import Turn


def takes(turn):
    with turn.taken() as is_mine:
        return is_mine


def test_nobody_else_of_the_process_has_it_meanwhile():
    turn = Turn(shared=True)
    with turn.taken() as first:
        assert (first, takes(turn)) == (True, False)
    assert takes(turn)


def test_a_process_of_the_pool_has_it_until_it_dies():
    turn, (reads, writes) = Turn(shared=True), os.pipe()
    if (child := os.fork()) == 0:
        with turn.taken() as is_mine:
            os.write(writes, bytes([is_mine]))
            signal.pause()
    try:
        assert os.read(reads, 1) == b"\x01"
        assert not takes(turn)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert takes(turn)


def test_a_process_that_is_no_worker_has_one_of_its_own():
    assert takes(Turn(shared=False))
