"""Dagster resources: each builds a tool of the storey below from settings. No logic of their own."""

from dissco_platform.resources.doi_service import DoiService
from dissco_platform.resources.tools import (
    DatasetStoreResource,
    HttpClientResource,
    MappingFiles,
    RegistryResource,
    SearchIndexResource,
    build_resources,
    doi_service,
)

__all__ = [
    "DatasetStoreResource",
    "DoiService",
    "HttpClientResource",
    "MappingFiles",
    "RegistryResource",
    "SearchIndexResource",
    "build_resources",
    "doi_service",
]
