"""Run the release before and this one side by side: ``python -m tests.compatibility``.

Exit code 0: every saga ended, and did all its steps or took them back, whichever release had it in hand.
"""

from tests.compatibility.run import Options, run
from tests.support.proof_command import carry_out

if __name__ == "__main__":
    carry_out("compatibility", Options, run)
