"""Versioned tables, downloads and published parts, in a folder or in object storage.

- `versions`: `DatasetStore`, what the rest of the platform works with: paths on this machine, immutable once named.
- `objects`: folders and files in object storage, for a store whose address is `s3://…` (or another service's).
- `working_copy`: what of an object store lies on this machine, and what of it may go.

What the tables hold is not known here.
"""

from dissco_platform.store.versions import Build, DatasetStore, Version, open_store, store_of

__all__ = ["Build", "DatasetStore", "Version", "open_store", "store_of"]
