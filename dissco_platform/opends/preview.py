"""What a mapping fix will do before it is done: two builds side by side, thrown away. Nothing is written to the store.

Reading and checking of mappings is `mapping`; the build that a preview runs twice is `build`; where a term's values come
from is `explaining`.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import Mapping
from dissco_platform.opends.ranges import Progress

EXAMPLES = 10
LOOKED_AT = 100_000  # records of a larger dataset, spread over all of it: some seconds for each mapping
BLOCK = 1_000  # records in a row that are taken together
COMPARED = 5_000  # changed documents whose terms are compared one by one, spread over all that change


@dataclass
class Preview:
    """What changes from one mapping to another in the records that were looked at: all, or some spread over the dataset.

    `terms` counts the changed documents in which a term differs, among the `compared` ones. `invalid` are values that the
    model refuses, `unmatched` the records whose value of a term no vocabulary knows.
    """

    records: int = 0
    looked_at: int = 0
    unchanged: int = 0
    changed: int = 0
    appearing: int = 0
    vanishing: int = 0
    media_changed: int = 0
    compared: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    mids_before: dict[str, int] = field(default_factory=dict)
    mids_after: dict[str, int] = field(default_factory=dict)
    rejects_before: dict[str, int] = field(default_factory=dict)
    rejects_after: dict[str, int] = field(default_factory=dict)
    invalid_before: dict[str, int] = field(default_factory=dict)
    invalid_after: dict[str, int] = field(default_factory=dict)
    unmatched_before: dict[str, int] = field(default_factory=dict)
    unmatched_after: dict[str, int] = field(default_factory=dict)
    doi_only_before: int = 0
    doi_only_after: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as plain data."""
        return asdict(self)


def preview(
    parsed: Path,
    names: Path,
    before: Mapping,
    after: Mapping,
    context: DatasetContext,
    *,
    records: int | None = LOOKED_AT,
    progress: Progress | None = None,
) -> Preview:
    """Compare what two mappings make of a dataset; what they make is kept in a temporary folder and thrown away.

    Args:
        parsed: folder of parsed tables.
        names: folder of `names.parquet`.
        before: the mapping in force.
        after: the mapping to try.
        context: the dataset's settings.
        records: look at so many records, spread over the dataset (default: all of a dataset up to LOOKED_AT); None: all.
        progress: called with what is done and the number of records.
    """
    with tempfile.TemporaryDirectory(prefix="dissco-preview-") as folder:
        root = Path(folder)
        total = pl.scan_parquet(parsed / "records.parquet").select(pl.len()).collect().item()
        source = parsed if records is None or total <= records else _sample(parsed, root / "parsed", records)
        reports = {}
        for name, mapping in (("before", before), ("after", after)):
            (root / name).mkdir()
            reports[name] = build_specimens(
                source, names, mapping, context, root / name, batch=name, progress=_telling(name, progress)
            )
        result = _compared(root / "before", root / "after")
    result.records, result.looked_at = total, reports["before"].records
    for when, report in reports.items():
        setattr(result, f"mids_{when}", report.mids_levels)
        setattr(result, f"rejects_{when}", report.rejects)
        setattr(result, f"invalid_{when}", report.invalid)
        setattr(result, f"unmatched_{when}", {term: sum(own.values()) for term, own in report.unmatched.items()})
        setattr(result, f"doi_only_{when}", report.doi_only)
    return result


def _telling(when: str, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda stage, done: progress(f"{when}: {stage}", done)


def _sample(parsed: Path, out: Path, records: int) -> Path:
    """Write blocks of consecutive records, evenly spread, with the rows of their extensions."""
    out.mkdir()
    rows = pl.scan_parquet(parsed / "records.parquet").select("row").collect()
    blocks = max(1, records // BLOCK)
    step = rows.height / blocks
    size = -(-records // blocks)
    chosen = pl.concat(rows[int(at * step) : int(at * step) + size] for at in range(blocks)).unique().sort("row")
    for path in parsed.glob("*.parquet"):
        if path.stem != "rejects":
            table = pl.scan_parquet(path).join(chosen.lazy(), on="row", how="semi", maintain_order="left")
            table.collect().write_parquet(out / path.name)
    if (parsed / "dataset.json").is_file():
        (out / "dataset.json").write_bytes((parsed / "dataset.json").read_bytes())
    return out


_WHOLE = [
    pl.lit('{"content":'), pl.col("content"), pl.lit(',"ods:hasEntityRelationships":'), pl.col("relationships"), pl.lit("}")
]  # fmt: skip


def _compared(before: Path, after: Path) -> Preview:
    """Compare two builds: their specimens, and their media (`ods:DigitalMedia/…` among the terms)."""
    specimens = _Table("specimens", "documents", "normalisedPhysicalSpecimenID", "")
    media = _Table("media", "media_documents", "media_key", "ods:DigitalMedia/")
    kept, appearing, vanishing = _pairs(before, after, specimens)
    changed = kept.filter(pl.col("content_hash") != pl.col("content_hash after"))
    both, _, _ = _pairs(before, after, media)
    of_media = both.filter(pl.col("content_hash") != pl.col("content_hash after"))
    terms: Counter[str] = Counter()
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    compared = [
        _told(before, after, table, rows, terms, kinds) for table, rows in ((specimens, changed), (media, of_media))
    ]
    return Preview(
        unchanged=kept.height - changed.height, changed=changed.height, appearing=appearing, vanishing=vanishing,
        media_changed=of_media.height, compared=compared[0], terms=dict(terms.most_common()),
        examples=_various(list(kinds.values())),
    )  # fmt: skip


@dataclass(frozen=True)
class _Table:
    name: str
    documents: str
    key: str
    prefix: str


def _pairs(before: Path, after: Path, table: _Table) -> tuple[pl.DataFrame, int, int]:
    """Return the rows that both builds have, and how many are new and gone."""
    columns = [table.key, "content_hash", "doi_only"]
    old = pl.scan_parquet(before / f"{table.name}.parquet").select(columns)
    new = pl.scan_parquet(after / f"{table.name}.parquet").select(columns)
    both = old.join(new, on=table.key, how="full", suffix=" after", coalesce=False).collect()
    there, then = pl.col(table.key).is_not_null(), pl.col(f"{table.key} after").is_not_null()
    return both.filter(there & then).sort(table.key), both.filter(~there).height, both.filter(~then).height


def _told(
    before: Path,
    after: Path,
    table: _Table,
    changed: pl.DataFrame,
    terms: Counter[str],
    kinds: dict[tuple[str, ...], list[dict[str, Any]]],
) -> int:
    """Count the terms that differ and keep examples of each kind of change; returns how many documents were compared."""
    shown = changed.gather_every(max(1, -(-changed.height // COMPARED)))
    texts = {
        name: dict(
            pl.scan_parquet(folder / f"{table.documents}.parquet")
            .filter(pl.col("content_hash").is_in(shown[column].implode()))
            .select("content_hash", pl.concat_str(_WHOLE).alias("content"))
            .collect()
            .iter_rows()
        )
        for name, folder, column in (("before", before, "content_hash"), ("after", after, "content_hash after"))
    }
    for row in shown.iter_rows(named=True):
        one = _flat(texts["before"].get(row["content_hash"]))
        other = _flat(texts["after"].get(row["content_hash after"]))
        different = {
            f"{table.prefix}{path}": (one.get(path), other.get(path))
            for path in {*one, *other}
            if one.get(path) != other.get(path)
        }
        if row["doi_only"] != row["doi_only after"]:
            different = {f"{table.prefix}DOI only": (row["doi_only"], row["doi_only after"])}
        terms.update(different.keys())
        changes = [{"term": path, "before": a, "after": b} for path, (a, b) in sorted(different.items())]
        of_kind = kinds.setdefault(tuple(sorted(different)), [])
        if changes and len(of_kind) < EXAMPLES and all(changes != told["changes"] for told in of_kind):
            of_kind.append({"specimen" if not table.prefix else "medium": row[table.key], "changes": changes})
    return shown.height


def _various(kinds: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return examples of as many kinds of change as there are, in turn: ten that say the same would show one."""
    turns = [example for turn in zip_longest(*kinds) for example in turn if example is not None]
    return turns[:EXAMPLES]


def _flat(text: str | None) -> dict[str, Any]:
    """Return a document as `class path/term` → value, or the sorted list of values where the path repeats."""
    found: dict[str, list[Any]] = {}
    if text is not None:
        whole = orjson.loads(text)
        whole.update(whole.pop("content"))
        for path, value in _leaves(whole, ""):
            found.setdefault(path, []).append(value)
    return {path: values[0] if len(values) == 1 else sorted(values, key=str) for path, values in found.items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaves(child, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, path)
    else:
        yield path, value
