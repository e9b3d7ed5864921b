"""The search index: what can be found of what is published, and how often.

- `summary`: which of a document's values are searched, counted and listed. One table of facets.
- `tables`: the index's tables in SQLite (FTS5, R*Tree) and PostgreSQL (tsvector, GIN, GiST).
- `index`: brings the index up to date with the registry: only the parts published since are read.
- `query`: what a question is; `conditions`, `cells`: its conditions on specimens and on cells; `find`: answers it: counts,
  facets, pages.

The index can be lost without loss: all of it is made of the registry and the published parts.
"""
