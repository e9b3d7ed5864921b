"""Read any number of mutated archives: each must be read with every row accounted for, or be refused by name.

    python benchmarks/archives/fuzz.py --from 0 --to 50000

Failing seeds are printed; `tests/archives/test_accounting.py` holds the mutations and runs a few of them each time.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.archives.test_accounting import SAMPLES, fuzz

SLOW = 10.0
"""Seconds from which on a reading counts as a hang."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--to", dest="stop", type=int, default=1_000)
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.start, options.stop):
            started = time.monotonic()
            try:
                fuzz(seed, SAMPLES[seed % len(SAMPLES)], Path(folder))
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                failed += 1
                print(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}")
                traceback.print_exc(limit=-3)
            if time.monotonic() - started > SLOW:
                failed += 1
                print(f"seed {seed}: took {time.monotonic() - started:.1f} s")
            if (seed + 1 - options.start) % 1_000 == 0:
                print(f"{seed + 1 - options.start:,} archives, {failed} failures so far", flush=True)
    print(f"{options.stop - options.start:,} archives, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
