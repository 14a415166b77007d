"""Ends an activity's call in every way, in each kind of pool, and prints what became of it: ``make endings``."""

import os
import sys
import tempfile
import time
from pathlib import Path

from demo.log_user import as_log_user
from demo.servers import own_redis
from tests.endings.matrix import POOLS, Ending, run


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the pools that are named, by default all. Returns the exit code."""
    pools = sys.argv[1:] or POOLS
    told: dict[str, list[Ending]] = {}
    directory = Path(tempfile.mkdtemp(prefix="endings-"))
    with own_redis(directory) as url:
        os.environ.update(CELERY_BROKER_URL=f"{url}/0", AMENDS_BACKEND=as_log_user(f"{url}/1"))
        for pool in pools:
            began = time.monotonic()
            told[pool] = run(pool, directory)
            say(f"{pool}: {len(told[pool])} endings in {time.monotonic() - began:.0f} s")
    wrong = {(pool, each) for pool, endings in told.items() for each in endings if each.wrong}
    ways = dict.fromkeys(each.way for endings in told.values() for each in endings)
    width = max(map(len, ways))
    say(f"\n{'':{width}}  {'  '.join(pools)}")
    for way in ways:
        cells = []
        for pool in pools:
            mine = [each for each in told[pool] if each.way == way]
            right = sum(not each.wrong for each in mine)
            cells.append(f"{right}/{len(mine)}".ljust(len(pool)))
        say(f"{way:{width}}  {'  '.join(cells)}")
    for pool, each in sorted(wrong, key=str):
        say(f"wrong: {pool}, {each.way}, {each.at} {each.dispatch}: {each.wrong}")
    say(f"\n{len(wrong)} wrong; logs are in {directory}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
