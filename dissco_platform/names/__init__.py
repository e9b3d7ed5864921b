"""Taxonomic names: parsing, and bulk matching to a checklist such as the Catalogue of Life.

- `keys`: the name columns of a record and the fingerprint of a distinct name
- `ranks`: ranks, statuses and rank markers as tables
- `normalise`: text cleaning, folding and stemming (functions of one word, and the same as expressions)
- `cleaning`, `parser`: text mended, the adapter over gbif-name-parser; `canonical_reader`, `canonical`, `botanists`: names as
  gnparser reads and writes them; `plain`, `parse_many`: plain names on whole columns, the rest in processes, kept across runs
- `coldp`: ColDP and Darwin Core checklists as one table; `backbone`: the index built from it; `gate`: is a release sane;
  `releases`: what another release would change
- `authorship`: are two citations of an author the same
- `query`, `candidates`, `rating`, `score`, `match`, `answer`: from distinct names to usages; `match_types`: what they are called
- `overrides`: curators' decisions; `distinct`: the names that a dataset has; `harmonise`: their answers; `tables_io`: files of
  names for the command line

Nothing here knows Dagster, the environment or specimens.
"""
