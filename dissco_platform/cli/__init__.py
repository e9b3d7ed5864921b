"""`dissco` on the command line: everything the Dagster UI does for one dataset, and everything about one specimen.

One module a group of commands; `house` opens settings, registry, store and Dagster's instance for them, `output` prints.
Exit codes: 0 done, 1 a run failed, 2 the input or a setting cannot be used. Messages go to standard error, results
to standard output; `--json` prints results for machines.
"""

from dissco_platform.cli.main import main

__all__ = ["main"]
