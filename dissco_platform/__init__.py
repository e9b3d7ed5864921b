"""Citable digital twins for natural-history specimens.

The storeys, each importing only those below it: faces (`cli`, `portal`, `sandbox`), glue (`definitions`, `assets`,
`sensors`, `resources`), field (`archives`, `names`, `opends`, `identity`, `enrolment`, `quality`), tools (`registry`,
`store`, `http`, `provenance`, `settings`, `errors`). `docs/architecture.md` shows the house.
"""

__version__ = "0.1.0"
