"""`python -m dissco_platform.sandbox`: the sandbox as a process of its own. `server.py` does the work."""

import argparse
import json
import sys
from pathlib import Path

from dissco_platform.errors import DisscoError
from dissco_platform.sandbox.faults import KINDS, FaultPlan
from dissco_platform.sandbox.server import DEFAULT_PASSWORD, DEFAULT_PREFIX, DEFAULT_USERNAME, serve


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    kinds = "\n".join(f"  {kind:<20} {what}" for kind, what in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m dissco_platform.sandbox",
        description="A DOI service that answers as DataCite's REST service does and registers nothing anywhere.\n"
        "It prints its address as one JSON line and serves until it is interrupted.",
        epilog=f"kinds of faults:\n{kinds}\n\nWhile it runs: GET/PUT/DELETE /sandbox/faults and GET/DELETE "
        "/sandbox/counters, from this machine only.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8100, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--database", type=Path, default=Path("sandbox.sqlite"), help="its SQLite file (default: %(default)s)"
    )
    parser.add_argument("--username", default=DEFAULT_USERNAME, help="repository account (default: %(default)s)")
    parser.add_argument("--password", default=DEFAULT_PASSWORD, help="its password (default: %(default)s)")
    parser.add_argument(
        "--password-from-stdin", action="store_true", help="read the password from the first line of standard input"
    )
    parser.add_argument(
        "--prefix", default=DEFAULT_PREFIX, help="DOI prefixes it owns, separated by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND=RATE", help="let this fault happen; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults (default: %(default)s)")
    parser.add_argument("--hang-seconds", type=float, default=30.0, help="length of a time-out (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer")
    parser.add_argument("--rate-limit", type=int, help="writes allowed per five minutes (default: no limit)")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    rates: dict[str, float] = {}
    for text in options.fault:
        kind, _, rate = text.partition("=")
        try:
            rates[kind] = float(rate)
        except ValueError:
            parser.error(f"--fault takes KIND=RATE, for example error_500=0.1, not {text!r}")
    try:
        plan = FaultPlan.parse(
            {
                "rates": rates,
                "seed": options.seed,
                "hang_seconds": options.hang_seconds,
                "latency_seconds": options.latency,
                "rate_limit": options.rate_limit,
            }
        )
    except ValueError as error:
        parser.error(str(error))
    password = options.password
    if options.password_from_stdin:  # a process list shows arguments to everybody
        password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    try:
        serve(
            options.host,
            options.port,
            options.database,
            username=options.username,
            password=password,
            prefix=options.prefix,
            faults=plan,
            announce=lambda facts: print(json.dumps(facts), flush=True),
            end_with_stdin=options.end_with_stdin,
        )
    except DisscoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
