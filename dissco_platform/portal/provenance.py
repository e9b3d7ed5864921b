"""From which column of the source each value came: the mapping that was in force says it, and the columns the source has.

Resolved mappings lie in the store as long as a dataset's recent builds do. Where a version's mapping is no longer there,
nothing is said rather than something that may not hold.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from dissco_platform.errors import DisscoError
from dissco_platform.opends.mapping import Mapping as TermMapping
from dissco_platform.opends.mapping import load_mapping, rule_columns
from dissco_platform.provenance import json_version
from dissco_platform.registry import Registry
from dissco_platform.registry.harvests import columns_at
from dissco_platform.store import DatasetStore

Terms = dict[tuple[str, str], list[str]]

_KEPT: Final = 256
MAPPED: Final = "mapping"  # stage of the store


class Provenance:
    """Looks up mappings by version; safe to share between threads."""

    def __init__(self, store: DatasetStore, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._known: OrderedDict[tuple[str, str, str], Terms | None] = OrderedDict()
        self._lock = threading.Lock()

    def sources(self, slug: str, made_from: Mapping[str, Any]) -> Callable[[str, str], list[str]] | None:
        """Return what gives the source columns of (class, term) for a version, None where its mapping is not kept."""
        key = (slug, str(made_from.get("mapping") or ""), str(made_from.get("records") or ""))
        with self._lock:
            known, is_known = self._known.get(key), key in self._known
        if not is_known:
            known = self._resolve(*key)
            with self._lock:
                self._known[key] = known
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        if not known:
            return None
        terms = known
        return lambda owner, term: terms.get((owner, term), [])

    def _resolve(self, slug: str, version: str, records: str) -> Terms | None:
        mapping = self._search(slug, version) if version else None
        if mapping is None:
            return None
        with self._registry.read() as connection:
            columns = columns_at(connection, slug, records)
        present = None if columns is None else {(table, name) for table, names in columns.items() for name in names}
        made: Terms = {}
        for (owner, table), rules in mapping.blocks.items():
            for term, rule in rules.items():
                listed = made.setdefault((owner, term), [])
                for column in rule_columns(rule):
                    # The dataset's own words (EML) and the core identifier are no columns of a table.
                    if present is None or (table, column) in present or column.startswith(("dataset:", "core_id")):
                        shown = column if table == "records" else f"{table}: {column}"
                        if shown not in listed:
                            listed.append(shown)
        return made

    def _search(self, slug: str, version: str) -> TermMapping | None:
        try:
            for kept in self._store.versions(MAPPED, slug):
                folder = self._store.path(MAPPED, slug, kept.name)
                for path in sorted(folder.glob("*.json")):
                    # A folder of one kind of archive is named by its version, whatever software wrote it.
                    is_named = kept.name == json_version({path.stem: version})
                    mapping = load_mapping(path)
                    if is_named or mapping.version == version:
                        return mapping
        except (DisscoError, OSError):
            return None
        return None
