"""Staff who sign in at an OpenID Connect provider: a small one on loopback that signs its answers."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.testclient import TestClient

from dissco_platform.enrolment import staff
from dissco_platform.portal.app import create_portal
from dissco_platform.registry import desk as statements
from dissco_platform.registry import open_registry
from dissco_platform.settings import Settings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwt(claims: dict[str, Any], key: rsa.RSAPrivateKey = KEY) -> str:
    head = _b64(json.dumps({"alg": "RS256", "kid": "1"}).encode()) + "." + _b64(json.dumps(claims).encode())
    return head + "." + _b64(key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))


class Provider(BaseHTTPRequestHandler):
    """Authorization code flow with PKCE; who signs in, and with which key it signs, is the test's choice."""

    issuer = ""
    subject = "4711"
    key = KEY
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012  one provider in one test

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            names = {"authorization": "/authorize", "token": "/token"}
            self._answer(
                {
                    "issuer": self.issuer,
                    "jwks_uri": self.issuer + "/keys",
                    "response_types_supported": ["code"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                    **{f"{name}_endpoint": self.issuer + path for name, path in names.items()},
                }
            )
        elif parts.path == "/keys":
            public = KEY.public_key().public_numbers()
            numbers = {"n": public.n.to_bytes(256, "big"), "e": public.e.to_bytes(3, "big")}
            self._answer(
                {"keys": [{"kty": "RSA", "kid": "1", **{name: _b64(value) for name, value in numbers.items()}}]}
            )
        elif parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = secrets.token_hex(8)
            self.codes[code] = asked
            self.send_response(302)
            self.send_header(
                "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            )
            self.end_headers()

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = self.codes.pop(form["code"][0], {})
        proof = _b64(hashlib.sha256(form["code_verifier"][0].encode()).digest())
        known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"portal:hush").decode()
        if proof != asked.get("code_challenge") or not known:
            self._answer({"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "portal", "sub": self.subject, "iat": now, "exp": now + 60, "nonce": asked["nonce"],
        }  # fmt: skip
        self._answer(
            {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": _jwt(claims, type(self).key)}
        )

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[type[Provider]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        Provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield Provider
        server.shutdown()
    Provider.subject, Provider.key = "4711", KEY


def _sign_in(client: TestClient) -> httpx.Response:
    there = client.get("/staff/sign-in", follow_redirects=False)
    assert there.status_code == 302 and "code_challenge_method=S256" in there.headers["location"]
    back = httpx.get(there.headers["location"], follow_redirects=False).headers["location"]
    return client.get(back.removeprefix("http://testserver"), follow_redirects=False)


def test_staff_sign_in_at_the_provider_and_nobody_else_does(provider: type[Provider], tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home",
        landing_page="http://testserver",
        oidc_issuer=provider.issuer,
        oidc_client="portal",
        oidc_secret="hush",  # type: ignore[arg-type]
    )
    registry = open_registry(settings.registry_url)
    with registry.write() as connection:
        assert staff.add(connection, "anna", "officer", subject=f"{provider.issuer} 4711", by="test") is None
    with TestClient(create_portal(settings)) as client:
        answer = _sign_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
        assert "anna, officer" in client.get("/staff").text
        with registry.read() as connection:
            assert statements.list_audit(connection)[0]["action"] == "sign-in"
        # A token is worth nothing where the provider decides, and its form is not there.
        assert client.post("/staff/sign-in", data={"token": "dissco_x"}).status_code == 403
        # What the provider sent back works once, and only in the browser that asked.
        replayed = client.get(str(answer.request.url).removeprefix("http://testserver"), follow_redirects=False)
        assert replayed.status_code == 403
    for subject, key in (("4712", KEY), ("4711", rsa.generate_private_key(public_exponent=65537, key_size=2048))):
        provider.subject, provider.key = subject, key
        with TestClient(create_portal(settings)) as client:
            assert _sign_in(client).status_code == 403, "a stranger, or an answer that another key signed"
            assert client.get("/staff", follow_redirects=False).status_code == 303
    registry.close()
