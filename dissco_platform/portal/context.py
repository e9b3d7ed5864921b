"""What the portal's rooms work with: settings, the registry and the search index (both read only), what is published."""

from dataclasses import dataclass

from fastapi import Request

from dissco_platform.identity.publications import Publications, open_publications
from dissco_platform.portal.provenance import Provenance
from dissco_platform.registry import Registry, open_registry
from dissco_platform.registry.engine import open_read_only
from dissco_platform.search.find import Finder
from dissco_platform.search.index import open_index
from dissco_platform.settings import Settings
from dissco_platform.store import DatasetStore, store_of


@dataclass(frozen=True)
class Portal:
    """Everything that a request may need; `request.app.state.portal`. Safe to share between threads."""

    settings: Settings
    registry: Registry
    store: DatasetStore
    publications: Publications
    search: Registry
    finder: Finder
    provenance: Provenance

    @classmethod
    def opened(cls, settings: Settings) -> "Portal":
        """Open the registry for reading; its schema is brought up to date first.

        Raises:
            RegistryError: it cannot be opened.
        """
        settings.home.mkdir(parents=True, exist_ok=True)
        open_registry(settings.registry_url, migrate=settings.registry_migrates).close()
        registry = open_read_only(settings.registry_url)
        store = store_of(settings)
        open_index(settings.search_url).close()
        search = open_read_only(settings.search_url)
        return cls(
            settings,
            registry,
            store,
            open_publications(settings, registry, store),
            search,
            Finder(search),
            Provenance(store, registry),
        )

    def close(self) -> None:
        """Give connections back."""
        self.registry.close()
        self.search.close()


def portal_of(request: Request) -> Portal:
    """Return the portal of a request (a FastAPI dependency)."""
    portal: Portal = request.app.state.portal
    return portal
