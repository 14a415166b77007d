"""Print a script as Redis gets it: ``python -m amends.backend.print_script claim_step``; without a name, all names."""

import sys

from amends.backend.scripts import SCRIPTS

if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{SCRIPTS[name].rstrip()}\n")
    if not sys.argv[1:]:
        sys.stdout.write("".join(f"{name}\n" for name in sorted(SCRIPTS)))
