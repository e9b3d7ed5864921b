#!/usr/bin/env python3
"""Make the example archives, their second week and the example checklist, or compare those on disk with them.

    python examples/make_examples.py           write the archives, the checklist, editions.json and
                                               the tables of README.md beside this file
    python examples/make_examples.py --check   write nothing; exit 1 if a file is missing or is not what would be made

Needs nothing but Python. The facts are the tables in facts/, the rules are in making/. A zip counts as the same when
its members have the same names, order, times and contents: libraries differ in how well they compress.
"""

import argparse
import io
import json
import sys
import zipfile
from pathlib import Path

from making import checklist, editions, report
from making.archive import members, zipped

HERE = Path(__file__).resolve().parent
# The second week is packed less tightly: a member with the same content then differs in the zip, as after a new export.
LEVELS = {1: 9, 2: 6}


def made() -> dict[str, bytes]:
    """Return every file by its path below this folder."""
    files = {}
    for week in (1, 2):
        for collection in editions.COLLECTIONS:
            edition = editions.edition(collection, week)
            files[f"week{week}/{collection.SLUG}.zip"] = zipped(members(edition), edition.published, level=LEVELS[week])
    names = {"metadata.yaml": checklist.METADATA, "NameUsage.tsv": checklist.name_usage_table()}
    files["checklist.zip"] = zipped({name: text.encode() for name, text in names.items()}, "2026-10-01")
    summary = editions.summary()
    files["editions.json"] = (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode()
    files["README.md"] = report.readme((HERE / "README.md").read_text("utf-8"), summary).encode()
    return files


def content(file: bytes) -> object:
    """Return what counts when two files are compared."""
    if not zipfile.is_zipfile(io.BytesIO(file)):
        return file
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return [(member.filename, member.date_time, archive.read(member)) for member in archive.infolist()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the example archives and the example checklist.")
    parser.add_argument("--check", action="store_true", help="write nothing, only compare with the files on disk")
    options = parser.parse_args(arguments)
    different = []
    for name, file in made().items():
        path = HERE / name
        same = path.is_file() and content(path.read_bytes()) == content(file)
        if same:
            continue
        different.append(name)
        if not options.check:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file)
    if options.check and different:
        print(f"not what would be made: {', '.join(different)}; run examples/make_examples.py", file=sys.stderr)
        return 1
    print("as made" if not different else f"written: {', '.join(different)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
