"""`docs/performance.md` from measurements: `python -m benchmarks.report RESULT.json [--scale SCALE.json …]`.

A result is what `benchmarks.stages` wrote; further ones with more records show how memory and cost grow. Each report is also a
line of `benchmarks/history.jsonl`, so that figures can be followed over time. Ratios are of CPU seconds within one run. Whole runs
of Dagster are taken from `benchmarks/runs.jsonl`, which `benchmarks.scale --keep` writes: the latest of each size.
"""

import argparse
import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "performance.md"
PLOTS = REPOSITORY / "docs" / "performance"
HISTORY = REPOSITORY / "benchmarks" / "history.jsonl"
RUNS = REPOSITORY / "benchmarks" / "runs.jsonl"
STAGES = ("read", "names", "documents", "publish")
ASSETS = {
    "parsed_records": "read",
    "taxon_harmonised": "names",
    "digital_specimens": "documents",
    "registered_dois": "publish",
}
PEERS = {
    "peer_read": ("ours_read", "records", "python-dwca-reader, iterating rows (ours also writes Parquet)"),
    "peer_names": (None, "names", "gbif-name-parser alone, one by one (ours also matches)"),
    "peer_documents": (None, "records", "a dict and json.dumps a record, no rules, no validation"),
    "peer_validation": ("ours_validation", "documents", "jsonschema in Python (ours: jsonschema-rs)"),
    "peer_registry": (None, "objects", "one upsert and commit an object in SQLite"),
}


def rate(count: float, seconds: float) -> str:
    """Return a rate for people."""
    return f"{count / seconds:,.0f}" if seconds else "–"


def chain(stages: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """Return wall and CPU seconds of all stages."""
    return sum(stage["wall_s"] for stage in stages.values()), sum(stage["cpu_s"] for stage in stages.values())


def objects(stages: dict[str, dict[str, Any]]) -> int:
    """Return how many digital objects (specimens and media) a load published."""
    return int(stages["documents"]["specimens"] + stages["documents"]["media"])


def as_run(stages: dict[str, dict[str, Any]]) -> tuple[float, float]:
    """Return wall and CPU seconds of the stages that the platform runs: what nothing changed for is not published again."""
    return chain({name: stage for name, stage in stages.items() if stage.get("needed", True)})


def whole_runs() -> list[str]:
    """Return the section on whole runs of Dagster: the latest of each size that was kept."""
    kept = [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []
    latest = {(run["records"], run["extensions"]): run for run in kept}
    if not latest:
        return []
    lines = [
        "## Whole runs of Dagster",
        "",
        "The whole command with its start, in one process, from the archive to the committed registry (`python -m benchmarks.scale`). A later",
        "edition has other bytes in any case; peaks are of the process while each asset was made.",
        "",
        "| records | edition | records/s | objects/s | wall s | CPU s | peak MiB: "
        + " | ".join(ASSETS.values())
        + " | measured |",
        "| ---: | --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(ASSETS) + " --- |",
    ]
    for (records, extensions), run in sorted(latest.items()):
        measured = f"{run['machine']['time'][:10]}, load {run['machine']['load_before']:.1f}"
        for edition, cost in run.items():
            if not isinstance(cost, dict) or "assets" not in cost:
                continue
            made = cost["specimens"] + cost["media"]
            peaks = " | ".join(f"{cost['assets'][asset]['peak_mib']:,}" for asset in ASSETS)
            lines.append(
                f"| {records:,}{', with media' if extensions else ''} | {edition} | **{rate(records, cost['wall_s'])}** | "
                f"{rate(made, cost['wall_s'])} | {cost['wall_s']:,.1f} | {cost['cpu_s']:,.1f} | {peaks} | {measured} |"
            )
    return [*lines, ""]


def first_loads(result: dict[str, Any]) -> list[str]:
    """Return the table of first loads: with and without media, a record and an object at a time, with and without starts."""
    lines = [
        "| dataset | media a record | objects | records/s | objects/s | CPU µs a record | CPU µs an object | records/s without imports |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    begun = sum(start["wall_s"] for start in result["starts"].values())
    for name, stages in (
        ("with media and identifications", result["stages"]),
        ("without extensions", result["bare"]["stages"]),
    ):
        wall, cpu = chain(stages)
        records, made = result["records"], objects(stages)
        lines.append(
            f"| {name} | {stages['documents']['media'] / records:.2f} | {made:,} | **{rate(records, wall)}** | {rate(made, wall)} | "
            f"{cpu / records * 1e6:.0f} | {cpu / made * 1e6:.0f} | {rate(records, wall - begun)} |"
        )
    return [
        *lines,
        "",
        "A medium is a digital object as a specimen is: a document, a DOI, a version. How many a record has decides what a record costs.",
        f"Importing the stages' modules takes {begun:.1f} s of each load ("
        + ", ".join(f"{name} {start['wall_s']:.2f} s" for name, start in result["starts"].items())
        + "); starting Python with Polars, "
        + f"{result['starts']['read']['spawn_s']:.1f} s for each of the four processes, is not part of the figures"
        + ".",
        "",
    ]


def page(result: dict[str, Any], scales: list[dict[str, Any]]) -> str:
    """Return the page."""
    records, machine = result["records"], result["machine"]
    wall, cpu = chain(result["stages"])
    lines = [
        "# Performance",
        "",
        "Made by `make bench` (`benchmarks/report.py`) from measurements; do not edit by hand.",
        "",
        f"{machine['time']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, load before and after "
        f"{machine['load_before']} and {machine['load_after']}, Python {machine['python']}, "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + ".",
        "",
        f"The dataset is generated: {records:,} records of {_columns()} columns, {result['facts'].get('media', 0):,} media, "
        f"{result['facts'].get('identifications', 0):,} identifications, skewed names, dirt at set rates; "
        f"{result['archive_bytes'] / 1e6:,.1f} MB zipped. Each measurement is a process of its own, and importing the stage's modules is part of it. "
        "The DOI service is not part of it: its pace is the service's.",
        "",
        "## First load",
        "",
        *first_loads(result),
        "Stage by stage, with media and identifications:",
        "",
        "| stage | records/s | wall s | CPU s (spread) | share of CPU | peak MiB | bytes written |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in STAGES:
        stage = result["stages"][name]
        low, high = stage["cpu_spread_s"]
        lines.append(
            f"| {name} | {rate(records, stage['wall_s'])} | {stage['wall_s']:.1f} | {stage['cpu_s']:.1f} ({low:.1f}–{high:.1f}) | "
            f"{stage['cpu_s'] / cpu:.0%} | {stage['peak_mib']:,} | {stage['bytes']:,} |"
        )
    lines += [
        f"| **all** | **{rate(records, wall)}** | {wall:.1f} | {cpu:.1f} | 100% | "
        f"{max(stage['peak_mib'] for stage in result['stages'].values()):,} | |",
        "",
        "![Where the time goes](performance/stages.svg)",
        "",
        "## Beside the limits of the machine",
        "",
        "| what the bytes alone cost | CPU s | the stage's CPU as a multiple | share of the limit's pace |",
        "| --- | ---: | ---: | ---: |",
    ]
    against = {"inflate": "read", "hash": "read", "parquet": "read", "documents": "documents", "json": "documents"}
    words = {
        "inflate": "inflating the zip",
        "hash": "inflating and SHA-256",
        "parquet": "writing the parsed tables as Parquet from memory",
        "documents": "hashing every document and writing it as Parquet",
        "json": "every document through orjson and back",
    }
    for name, stage in against.items():
        limit, ours = result["limits"][name], result["stages"][stage]
        lines.append(
            f"| {words[name]} | {limit['cpu_s']:.2f} | {stage}: {ours['cpu_s'] / max(limit['cpu_s'], 1e-3):.1f} × | "
            f"{limit['cpu_s'] / ours['cpu_s']:.0%} |"
        )
    if result["peers"]:
        lines += [
            "",
            "## Beside others, in the same run",
            "",
            "| peer | per CPU second | ours per CPU second | ratio |",
            "| --- | ---: | ---: | ---: |",
        ]
        for name, (ours_name, unit, what) in PEERS.items():
            peer = result["peers"][name]
            ours = (
                result["peers"][ours_name]
                if ours_name
                else result["stages"][
                    {"peer_names": "names", "peer_documents": "documents", "peer_registry": "publish"}[name]
                ]
            )
            count = {
                "peer_names": ours.get("distinct_names"),
                "peer_documents": records,
                "peer_registry": ours.get("new"),
            }.get(name, ours.get(unit)) or records
            theirs, own = peer[unit] / max(peer["cpu_s"], 1e-3), count / max(ours["cpu_s"], 1e-3)
            lines.append(f"| {what} | {theirs:,.0f} {unit} | {own:,.0f} | {own / theirs:.2f} |")
    lines += [
        "",
        "## Cost follows change",
        "",
        "A later edition of the same dataset, whose bytes always differ and whose records differ in the given share. A byte-identical archive "
        "starts no run at all.",
        "",
        "Where the build comes out the same the platform publishes nothing (the first two columns); the others have all four stages run.",
        "",
        "| changed | records/s as run | CPU s as run | all stages: records/s | wall s | CPU s | against unchanged (CPU) | documents rendered | "
        "new versions |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    unchanged = chain(result["editions"]["0"])[1] if "0" in result["editions"] else None
    for share, stages in result["editions"].items():
        (seconds, used), (short, least) = chain(stages), as_run(stages)
        versions = stages["publish"]["changed"] + stages["publish"]["new"]
        lines.append(
            f"| {float(share):.1%} | {rate(records, short)} | {least:.1f} | {rate(records, seconds)} | {seconds:.1f} | {used:.1f} | "
            f"{f'{used / unchanged:.2f} ×' if unchanged else ''} | {stages['documents']['rendered']:,} | {versions:,} |"
        )
    lines += ["", "![Cost follows change](performance/change.svg)", ""]
    if scales:
        lines += [
            "## Cost and memory as datasets grow",
            "",
            "| records | records/s, first load | peak MiB: " + " | ".join(STAGES) + " |",
            "| ---: | ---: |" + " ---: |" * len(STAGES),
        ]
        for scale in sorted([result, *scales], key=lambda found: found["records"]):
            seconds, _ = chain(scale["stages"])
            peaks = " | ".join(f"{scale['stages'][name]['peak_mib']:,}" for name in STAGES)
            lines.append(f"| {scale['records']:,} | {rate(scale['records'], seconds)} | {peaks} |")
        lines += ["", "![Memory](performance/memory.svg)", ""]
    lines += whole_runs()
    lines += [
        "```sh",
        f"python -m benchmarks.stages --records {records} --repeat {result['stages']['read']['repeats']} -o result.json",
        "python -m benchmarks.report result.json",
        "```",
        "",
        "Further measurements, each with its own claim and exit code: `benchmarks/names` (speed, suites, typing errors, millions of names), `benchmarks/identity`",
        "(a million specimens, faults, pace, memory), `benchmarks/sensors` (ticks, looks, many small datasets), `benchmarks/opends` (memory, rules,",
        "validity), `benchmarks/portal`, `benchmarks/cluster`.",
        "",
    ]
    return "\n".join(lines)


def plots(result: dict[str, Any], scales: list[dict[str, Any]]) -> None:
    """Draw what the page shows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.hashsalt": "dissco", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    )
    from matplotlib import pyplot as plt

    PLOTS.mkdir(exist_ok=True)
    figure, axes = plt.subplots(figsize=(7, 2.4))
    left = 0.0
    for name, colour in zip(STAGES, ("#335c67", "#e09f3e", "#9e2a2b", "#6b8f71"), strict=True):
        seconds = result["stages"][name]["cpu_s"] / result["records"] * 1e6
        axes.barh(["first load"], [seconds], left=left, color=colour, label=name)
        left += seconds
    axes.set_xlabel("CPU microseconds a record")
    axes.legend(ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.35))
    _save(figure, "stages")
    figure, axes = plt.subplots(figsize=(7, 3))
    shares = [float(share) for share in result["editions"]]
    bottom = [0.0] * len(shares)
    for name, colour in zip(STAGES, ("#335c67", "#e09f3e", "#9e2a2b", "#6b8f71"), strict=True):
        values = [stages[name]["cpu_s"] for stages in result["editions"].values()]
        axes.bar([f"{share:.1%}" for share in shares], values, bottom=bottom, color=colour, label=name)
        bottom = [one + other for one, other in zip(bottom, values, strict=True)]
    axes.set_xlabel("share of records that changed")
    axes.set_ylabel("CPU seconds")
    axes.legend(frameon=False)
    _save(figure, "change")
    if scales:
        figure, axes = plt.subplots(figsize=(7, 3))
        found = sorted([result, *scales], key=lambda one: one["records"])
        for name, colour in zip(STAGES, ("#335c67", "#e09f3e", "#9e2a2b", "#6b8f71"), strict=True):
            axes.plot(
                [one["records"] for one in found],
                [one["stages"][name]["peak_mib"] for one in found],
                "o-",
                color=colour,
                label=name,
            )
        axes.set_xscale("log")
        axes.set_ylim(0)
        axes.set_xlabel("records")
        axes.set_ylabel("peak MiB")
        axes.legend(frameon=False)
        _save(figure, "memory")


def _save(figure: Any, name: str) -> None:
    figure.tight_layout()
    figure.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})


def _columns() -> int:
    from benchmarks.archives.values import COLUMNS

    return len(COLUMNS)


def main() -> None:
    """Write page, plots and a line of history."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--scale", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    result = json.loads(options.result.read_text())
    scales = [json.loads(path.read_text()) for path in options.scale]
    PAGE.write_text(page(result, scales))
    plots(result, scales)
    line = {
        "machine": result["machine"],
        "records": result["records"],
        **{
            name: {key: stage[key] for key in ("wall_s", "cpu_s", "peak_mib")}
            for name, stage in result["stages"].items()
        },
    }
    with HISTORY.open("a") as history:
        history.write(json.dumps(line) + "\n")
    print(f"{PAGE}, {PLOTS}, {HISTORY}")


if __name__ == "__main__":
    main()
