"""Secret links in letters: a page of one's own application, and an end to news. Nothing of them is stored.

A link's token is a keyed hash of the application, its contact and its number, so that it ends when the contact changes or
a new link is asked for, and whoever reads the database learns none. The key is a setting, or a file beside the state.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissco_platform.errors import SettingsError
from dissco_platform.settings import Settings

KEY_FILE = "secret.key"
_SHORTEST_KEY = 32


def secret_key(configured: str | None, home: Path) -> bytes:
    """Return the key of links and sessions: the setting, or a file in `home` that is made on first use.

    Raises:
        SettingsError: it is too short, or the file cannot be read or made.
    """
    if configured is not None:
        if len(configured) < _SHORTEST_KEY:
            raise SettingsError(f"DISSCO_SECRET is shorter than {_SHORTEST_KEY} characters.")
        return configured.encode()
    path = home / KEY_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made = path.with_name(f".{KEY_FILE}-{os.getpid()}-{secrets.token_hex(4)}")
            made.touch(mode=0o600)
            made.write_bytes(secrets.token_bytes(32))
            try:
                path.hardlink_to(made)  # the first process wins, and nobody reads half a key
            except FileExistsError:
                pass
            finally:
                made.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read or made ({error.strerror}).") from error
    if len(key) < _SHORTEST_KEY:
        raise SettingsError(f"{path} is too short for a key; remove it and a new one is made.")
    return key


@dataclass(frozen=True)
class Links:
    """Makes and recognises the secret links of applications under the portal's address `base`."""

    base: str
    key: bytes

    def token(self, application: Mapping[str, Any], purpose: str = "page") -> str:
        """Return the token of an application (`slug, link, form.contact`)."""
        what = "\0".join([purpose, application["slug"], str(application["link"]), application["form"]["contact"]])
        digest = hmac.new(self.key, what.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()

    def opens(self, application: Mapping[str, Any], token: str, purpose: str = "page") -> bool:
        """Say whether a token belongs to an application."""
        return hmac.compare_digest(self.token(application, purpose).encode(), token.encode())

    def page(self, application: Mapping[str, Any]) -> str:
        """Return the address of an application's own page."""
        return f"{self.base.rstrip('/')}/enrolment/open/{application['slug']}/{self.token(application)}"

    def no_news(self, application: Mapping[str, Any]) -> str:
        """Return the address that ends letters which nobody has to have."""
        return f"{self.base.rstrip('/')}/enrolment/no-news/{application['slug']}/{self.token(application, 'news')}"


def links_of(settings: Settings) -> Links:
    """Return the links of the settings' portal."""
    secret = settings.secret.get_secret_value() if settings.secret is not None else None
    return Links(settings.landing_page, secret_key(secret, settings.home))
