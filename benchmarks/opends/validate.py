"""Do all documents of real archives fit the official openDS schemas? `python benchmarks/opends/validate.py [SHARED]`.

Reads every archive below SHARED/data (default ../shared): those of institutions and those of peers' test suites, builds
its specimens and media, and validates each document, as published, with the official JSON Schemas of
SHARED/reference/opends: once as the records' licences allow, and once more with all of them taken as CC0, so that what is
DOI only is proven too. Prints JSON; exit code 1 where a document does not fit or an archive that can be read is not built.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import polars as pl

from dissco_platform.archives import read_archive
from dissco_platform.errors import ArchiveError
from dissco_platform.opends.build import build_specimens
from dissco_platform.opends.context import DatasetContext
from dissco_platform.opends.mapping import load_mapping
from dissco_platform.opends.schema import placeholder_document

REPOSITORY = Path(__file__).resolve().parents[2]
TABLES = {"ods:DigitalSpecimen": "documents", "ods:DigitalMedia": "media_documents"}
ROOTS = {"ods:DigitalSpecimen": "digital-specimen.json", "ods:DigitalMedia": "digital-media.json"}
# The licence of the dataset's enrolment: without one, records that state none would be DOI only and have no document.
CONTEXT = DatasetContext(
    "proof", "https://ror.org/0566bfb96", "A Museum", "https://hdl.handle.net/20.5000.1025/ABC-DEF-GHI", "A Museum",
    licence="CC0",
)  # fmt: skip


def validators(folder: Path) -> dict[str, Any]:
    """Return the official validators by class."""
    files = [path for path in folder.rglob("*/schema/*.json") if "digital-media/0.4.0" not in str(path)]
    by_name = {path.name: json.loads(path.read_text()) for path in files}
    return {
        owner: jsonschema_rs.validator_for(
            by_name[name], retriever=lambda uri: by_name[uri.rsplit("/", 1)[1]], validate_formats=True
        )
        for owner, name in ROOTS.items()
    }


def archives(data: Path) -> list[Path]:
    """Return what may be an archive: files of institutions, and the folders of peers' suites."""
    suites = data / "suites" / "archives" / "files"
    own = sorted(path for kind in ("dwca", "abcd") for path in (data / kind).iterdir())
    folders = sorted(
        {path.parent for path in suites.rglob("*") if path.suffix in {".txt", ".csv", ".tsv", ".xml", ".tab"}}
    )
    return own + sorted(suites.rglob("*.zip")) + folders


ALL_OPEN = """
ods:DigitalSpecimen: {records: {dcterms:license: {constant: 'https://creativecommons.org/publicdomain/zero/1.0/'}}}
ods:DigitalMedia: {media: {dcterms:rights: {constant: 'https://creativecommons.org/publicdomain/zero/1.0/'}}}
"""


def prove(archive: Path, check: dict[str, Any], own_rules: str | None) -> dict[str, Any]:
    """Build one archive; return its counts, and the first misfits."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("parsed", "names", "out"):
            (folder / name).mkdir()
        try:
            parsed = read_archive(archive, folder / "parsed")
        except ArchiveError as error:
            return {"refused": error.reason}
        name = {"abcd": "abcd.yaml", "dwc-dp": "dwc-dp.yaml"}.get(parsed.kind, "dwc.yaml")
        own = None
        if own_rules is not None:
            own = folder / "own.yaml"
            own.write_text(own_rules)
        mapping = load_mapping(REPOSITORY / "mappings" / name, own)
        report = build_specimens(folder / "parsed", folder / "names", mapping, CONTEXT, folder / "out", batch="proof")
        found: dict[str, Any] = {"records": parsed.records, "specimens": report.specimens, "rejects": report.rejects}
        misfits: list[str] = []
        for owner, table in TABLES.items():
            rows = pl.read_parquet(folder / "out" / f"{table}.parquet").select("content", "relationships")
            found[table] = rows.height
            for content, relationships in rows.iter_rows():
                whole = placeholder_document(owner, content, relationships)
                del whole["@context"]
                misfits += [f"{list(one.instance_path)}: {one.message}" for one in check[owner].iter_errors(whole)]
        found["misfits"] = len(misfits)
        found["first"] = misfits[:3]
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", nargs="?", type=Path, default=REPOSITORY.parent / "shared")
    shared = parser.parse_args().shared
    check = validators(shared / "reference" / "opends" / "fdo-type")
    whole: dict[str, Any] = {}
    ok = True
    for how, own_rules in (("as licensed", None), ("all taken as CC0", ALL_OPEN)):
        results = {
            str(path.relative_to(shared / "data")): prove(path, check, own_rules) for path in archives(shared / "data")
        }
        read = {name: one for name, one in results.items() if "refused" not in one}
        total: Counter[str] = Counter()
        for one in read.values():
            total.update({key: one[key] for key in ("records", "specimens", "documents", "media_documents", "misfits")})
        invalid = sum(one["rejects"].get("invalid_document", 0) for one in read.values())
        ok = ok and not total["misfits"] and not invalid and bool(total["documents"])
        summary = {"archives": len(read), "refused": len(results) - len(read), **total, "invalid_document": invalid}
        whole[how] = {"archives": results, "total": summary}
    print(json.dumps({**whole, "ok": ok}, indent=1))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
