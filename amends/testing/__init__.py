"""Run sagas in a test: in this process, at once, with the failures that the test chooses.

Needs fakeredis, which ``pip install 'amends[testing]'`` brings.
"""

from amends.testing.calls import Call
from amends.testing.clock import Clock
from amends.testing.rehearsal import Rehearsal
from amends.testing.script import Script

__all__ = ["Call", "Clock", "Rehearsal", "Script"]
