"""From which column of the source each value came: the mapping that was in force says it.

Resolved mappings lie in the store as long as a dataset's recent builds do. Where a version's mapping is no longer there,
nothing is said rather than something that may not hold.
"""

import threading
from collections import OrderedDict
from typing import Final

from dissco_platform.errors import DisscoError
from dissco_platform.opends.mapping import Mapping, load_mapping
from dissco_platform.store import DatasetStore

_KEPT: Final = 64
MAPPED: Final = "mapping"  # stage of the store


class Provenance:
    """Looks up mappings by version; safe to share between threads."""

    def __init__(self, store: DatasetStore) -> None:
        self._store = store
        self._known: OrderedDict[tuple[str, str], Mapping | None] = OrderedDict()
        self._lock = threading.Lock()

    def mapping(self, slug: str, version: str | None) -> Mapping | None:
        """Return the mapping of a version of a dataset, None where it is not kept."""
        if not version:
            return None
        with self._lock:
            if (slug, version) in self._known:
                return self._known[slug, version]
        found = self._search(slug, version)
        with self._lock:
            self._known[slug, version] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def columns(self, mapping: Mapping | None, owner: str, term: str) -> list[str]:
        """Return the source columns that may feed a term of a class, in order of precedence."""
        if mapping is None:
            return []
        return [
            column if table == "records" else f"{table}.{column}" for table, column in mapping.columns_of(owner, term)
        ]

    def _search(self, slug: str, version: str) -> Mapping | None:
        try:
            for kept in self._store.versions(MAPPED, slug):
                folder = self._store.path(MAPPED, slug, kept.name)
                for path in sorted(folder.glob("*.json")):
                    mapping = load_mapping(path)
                    if mapping.version == version:
                        return mapping
        except (DisscoError, OSError):
            return None
        return None
