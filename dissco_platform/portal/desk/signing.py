"""Who is staff: one interface (`Gate`), two ways in: tokens that we gave out, or an OpenID Connect provider.

Either way a sealed cookie names the person afterwards, and every request looks up whether they still are what it says.
"""

import logging
from typing import Annotated, Protocol

import httpx
from fastapi import APIRouter, Depends, HTTPException, Request, Response

from dissco_platform.enrolment import staff
from dissco_platform.portal.desk.context import Desk, DeskOf, desk_of, limited
from dissco_platform.portal.desk.guard import OwnForm, answer, drop_cookie, go, seal, set_cookie, unseal
from dissco_platform.portal.desk.paths import FORM, PAGE
from dissco_platform.registry import desk as statements
from dissco_platform.registry.desk import Person

_LOG = logging.getLogger(__name__)
router = APIRouter(prefix="/staff")

SESSION, DAYS = "desk-staff", 0.5
_FLOW = "desk-oidc"


class Gate(Protocol):
    """A way in."""

    async def begin(self, request: Request) -> Response:
        """Return the page, or the provider's, where one signs in."""

    async def finish(self, request: Request, given: str) -> Person | None:
        """Return who signed in with what was given (a token, or what the provider sent back), or None."""


class Tokens:
    """People type the token that `dissco staff add` printed."""

    async def begin(self, request: Request) -> Response:
        """Show the form."""
        return answer(request, "sign_in.html", failed=False)

    async def finish(self, request: Request, given: str) -> Person | None:
        """Look the token up."""
        with desk_of(request).staff_registry.read() as connection:
            return staff.by_token(connection, given)


class OpenIdConnect:
    """People sign in at the provider (authorization code flow with PKCE, state and nonce, by Authlib)."""

    def __init__(self, desk: Desk) -> None:
        import warnings

        with warnings.catch_warnings(record=True):  # on import it says that it would rather have another HTTP library
            from authlib.common.errors import AuthlibBaseError
            from authlib.integrations.starlette_client import OAuth
            from joserfc.errors import JoseError

        settings = desk.settings
        assert settings.oidc_issuer is not None
        self.refused: tuple[type[Exception], ...] = (AuthlibBaseError, JoseError, httpx.HTTPError)
        self.issuer = settings.oidc_issuer.rstrip("/")
        self.back = settings.landing_page.rstrip("/") + "/staff/sign-in/done"
        self.client = OAuth().register(
            "staff",
            client_id=settings.oidc_client,
            client_secret=settings.oidc_secret.get_secret_value(),
            server_metadata_url=self.issuer + "/.well-known/openid-configuration",
            client_kwargs={"scope": "openid", "code_challenge_method": "S256"},
        )

    async def begin(self, request: Request) -> Response:
        """Go to the provider."""
        # Authlib keeps state, nonce and verifier in the session: ours is a sealed cookie of its own.
        request.scope["session"] = {}
        response: Response = await self.client.authorize_redirect(request, self.back)
        set_cookie(desk_of(request), response, _FLOW, seal(desk_of(request), _FLOW, request.session), days=0.02)
        return response

    async def finish(self, request: Request, given: str) -> Person | None:
        """Redeem the provider's answer and look its subject up."""
        request.scope["session"] = unseal(request, _FLOW, days=0.02)
        try:
            token = await self.client.authorize_access_token(request)
        except self.refused as error:
            _LOG.warning("A sign-in at %s failed (%s)", self.issuer, type(error).__name__)
            return None
        told = token.get("userinfo") or {}
        if not told.get("sub"):
            return None
        with desk_of(request).staff_registry.read() as connection:
            return staff.by_subject(connection, f"{told.get('iss', self.issuer)} {told['sub']}")


def gate_of(request: Request) -> Gate:
    """Return the way in that the settings ask for."""
    desk = desk_of(request)
    if desk.settings.oidc_issuer is None:
        return Tokens()
    kept: Gate | None = getattr(request.app.state, "gate", None)
    if kept is None:
        kept = request.app.state.gate = OpenIdConnect(desk)
    return kept


GateOf = Annotated[Gate, Depends(gate_of)]


@router.get("/sign-in", **PAGE)
async def sign_in_page(request: Request, gate: GateOf) -> Response:
    """Show how to sign in, or go where that is done."""
    return await gate.begin(request)


@router.post("/sign-in", **FORM)
async def sign_in(request: Request, desk: DeskOf, gate: GateOf, form: OwnForm) -> Response:
    """Sign in with a token."""
    limited(request, "sign-in")
    if not isinstance(gate, Tokens):
        raise HTTPException(404)
    return _signed_in(request, desk, await gate.finish(request, form.get("token", "")))


@router.get("/sign-in/done", **PAGE)
async def signed_in_elsewhere(request: Request, desk: DeskOf, gate: GateOf) -> Response:
    """Take up what the provider sends back."""
    limited(request, "sign-in")
    if isinstance(gate, Tokens):
        raise HTTPException(404)
    response = _signed_in(request, desk, await gate.finish(request, ""))
    drop_cookie(desk, response, _FLOW)  # an answer of the provider counts once
    return response


def _signed_in(request: Request, desk: Desk, person: Person | None) -> Response:
    if person is None:
        return answer(request, "sign_in.html", 403, failed=True)
    with desk.staff_registry.write() as connection:
        statements.add_audit(connection, actor=person.name, action="sign-in", subject=person.name)
    response = go("/staff")
    set_cookie(
        desk,
        response,
        SESSION,
        seal(desk, SESSION, {"name": person.name, "mark": staff.session_mark(person)}),
        days=DAYS,
    )
    return response


@router.post("/sign-out", **FORM)
def sign_out(desk: DeskOf, form: OwnForm) -> Response:
    """End the session of this browser."""
    response = go("/staff/sign-in")
    drop_cookie(desk, response, SESSION)
    return response


def person_of(request: Request) -> Person:
    """Return who is signed in (a FastAPI dependency).

    Raises:
        HTTPException: nobody is; browsers are led to the sign-in page.
    """
    kept = unseal(request, SESSION, days=DAYS)
    if kept:
        with desk_of(request).staff_registry.read() as connection:
            person = staff.by_session(connection, str(kept.get("name", "")), str(kept.get("mark", "")))
        if person is not None:
            return person
    if request.method == "GET":
        raise HTTPException(303, headers={"location": "/staff/sign-in"})
    raise HTTPException(403, "You are not signed in any more. Sign in, go back and send it once more.")


Signed = Annotated[Person, Depends(person_of)]


def require(person: Person, role: str) -> None:
    """Refuse what a person's role does not include.

    Raises:
        HTTPException: 403.
    """
    if not staff.may(person.role, role):
        raise HTTPException(403, f"That is for the role {role}; yours is {person.role}.")
