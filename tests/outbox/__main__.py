"""Kill web processes at every boundary of an order's transaction and delivery: ``python -m tests.outbox``.

Exit code 0: every order that was committed has its saga, which ran once, and no other order has one.
"""

from tests.outbox.run import Options, run
from tests.support.proof_command import carry_out

if __name__ == "__main__":
    carry_out("outbox", Options, run)
