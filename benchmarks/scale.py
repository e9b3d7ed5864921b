"""The chain under Dagster on a generated dataset of any size, from the archive to the committed registry, in one go.

    python -m benchmarks.scale --records 10000000 [--extensions] [--editions 0 0.01] [--folder FOLDER] [-o FILE] [--keep]

One process materialises raw archive, parsed records, names, mapping, specimens and DOIs, as `dissco run` does, against the
sandbox; DataCite's pace is not part of it: what is to be registered stays queued (`DISSCO_DATACITE_DRAIN_SECONDS=0`), and the
search is not filled. Each of `--editions` is a later archive with this share of its records changed (0: other bytes, nothing
changed) and runs what is stale. Prints JSON; exits with 1 where a process needed more than `--limit-mib`. `--keep` adds it to
`benchmarks/runs.jsonl`, from which `docs/performance.md` shows the latest of each size.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.archives.generate import Change, Dirt, generate
from benchmarks.chain import command
from benchmarks.measuring import machine, write
from benchmarks.report import RUNS
from benchmarks.stages import checklist

CHAIN = ("raw_archive", "parsed_records", "taxon_harmonised", "mapping", "digital_specimens", "registered_dois")
SLUG = "scale"


def run_chain(home: Path) -> None:
    """Run what is stale of the chain in this process and print what it came to."""
    from dissco_platform.cli.house import House
    from dissco_platform.cli.running import materialize, summary
    from dissco_platform.registry.datasets import get_dataset
    from dissco_platform.sensors.reconcile import look_upstream, plan
    from dissco_platform.settings import Settings

    with House(Settings(home=home, datacite_drain_seconds=0)) as house:
        with house.registry.read() as connection:
            dataset = get_dataset(connection, SLUG)
        house.instance.add_dynamic_partitions("datasets", [SLUG])
        upstream = look_upstream(house.instance, house.registry, house.store, house.http, dataset)
        settings = house.settings
        wanted = plan(
            house.instance, house.registry, house.store, settings.mappings, dataset, upstream,
            settings.tombstone_after, settings.quota,
        )  # fmt: skip
        chosen = [asset for asset in wanted.selection if asset in CHAIN]
        materialize(house, SLUG, chosen, {"cause": wanted.cause[:500]}, lambda line: print(line, file=sys.stderr))
        print(json.dumps(summary(house, SLUG, wanted, 0.0, ran=chosen)))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--extensions", action="store_true", help="1.3 media and 1.1 identifications a record")
    parser.add_argument("--editions", type=float, nargs="*", default=[0.0, 0.01])
    parser.add_argument("--limit-mib", type=int, default=2048)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--keep", action="store_true", help="add the result to those that the report shows")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_chain(options.child)
        return
    result: dict[str, Any] = {"machine": machine(), "records": options.records, "extensions": options.extensions}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        home, archive = Path(folder) / "home", Path(folder) / "archive.zip"
        command(home, "checklist", "use", str(checklist(Path(folder))))
        organisation = "https://ror.org/0566bfb96"
        command(home, "dataset", "add", SLUG, "--source", str(archive), "--organisation", organisation)
        for number, share in enumerate([None, *options.editions], start=1):
            change = Change() if share is None else Change(share, 0, 0)
            generate(
                archive, options.records, edition=number, dirt=Dirt(), change=change, extensions=options.extensions
            )
            run, cost = command(home, "--child", str(home), program=[sys.executable, "-m", "benchmarks.scale"])
            told = {key: run[key] for key in ("ran", "records", "specimens", "media", "versions")}
            name = "first" if share is None else f"{share:.1%} changed"
            result[name] = {**cost, "records_per_s": round(run["records"] / cost["wall_s"]), **told}
            print(name, json.dumps(result[name]), file=sys.stderr, flush=True)
    result["machine"]["load_after"] = os.getloadavg()[0]
    if options.output:
        write(options.output, result)
    if options.keep:
        with RUNS.open("a") as runs:
            runs.write(json.dumps(result) + "\n")
    print(json.dumps(result, indent=1))
    peaks = [run["peak_mib"] for run in result.values() if isinstance(run, dict) and "peak_mib" in run]
    sys.exit(max(peaks) > options.limit_mib)


if __name__ == "__main__":
    main()
