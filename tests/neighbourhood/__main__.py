"""Run two apps on one saga log through standstills: ``python -m tests.neighbourhood``.

Exit code 0: every saga completed, nothing was called twice, no queue grew beyond the sagas alive, no circuit opened.
"""

from tests.neighbourhood.run import Options, run
from tests.support.proof_command import carry_out

if __name__ == "__main__":
    carry_out("neighbourhood", Options, run)
