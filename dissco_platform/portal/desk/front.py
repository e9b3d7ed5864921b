"""What everybody may see of enrolment and do there: how it goes, pre-registration, one's link once more, no more news."""

from fastapi import APIRouter, Request, Response

from dissco_platform.enrolment import desk as domain
from dissco_platform.enrolment.scoring import CRITERIA, HIGHEST
from dissco_platform.errors import UsageError
from dissco_platform.portal.desk import forms
from dissco_platform.portal.desk.context import DeskOf, limited
from dissco_platform.portal.desk.guard import OwnForm, answer, go, read_form
from dissco_platform.portal.desk.paths import FORM, PAGE, Slug, Token
from dissco_platform.registry.engine import now
from dissco_platform.registry.enrolment import find_application

router = APIRouter(prefix="/enrolment")


@router.get("", **PAGE)
def front(request: Request) -> Response:
    """Show how a dataset is enrolled."""
    return answer(request, "front.html", criteria=CRITERIA, highest=HIGHEST)


@router.get("/apply", **PAGE)
def empty_form(request: Request) -> Response:
    """Show the form."""
    return _form(request, forms.Draft(values={"what": ""}))


@router.post("/apply", **FORM)
def apply(request: Request, desk: DeskOf, form: OwnForm) -> Response:
    """Look something up for the form, or pre-register what it says."""
    wanted = form.get("do", "send")
    limited(request, "apply" if wanted == "send" else "probe")
    draft = forms.read_draft(form)
    if draft.errors:
        return _form(request, draft, 422)
    if wanted == "find":
        forms.find_institution(desk, draft)
        return _form(request, draft, focus="organisation")
    wrong = forms.check_address(draft.get("source"))
    if wanted == "try":
        wrong = wrong or forms.probe(desk.http, draft.get("source"))
        (draft.errors if wrong else draft.notes)["source"] = wrong or "It can be opened from here."
        return _form(request, draft, focus="source")
    forms.find_institution(desk, draft)
    forms.check_rest(draft)
    if not draft.errors and wrong is None and "anyway" not in draft.ticked:
        limited(request, "probe")
        wrong = forms.probe(desk.http, draft.get("source"))
        if wrong is not None:
            draft.notes["anyway"] = "offered"
    if wrong is not None:
        draft.errors["source"] = wrong
    if draft.errors:
        return _form(request, draft, 422)
    try:
        with desk.registry.write() as connection:
            forms.submit(connection, draft)
    except UsageError as error:
        if "pre-registered already" not in str(error):
            draft.errors["contact" if "confirmation" in str(error) else "source"] = str(error)
            return _form(request, draft, 422)
        draft.errors["source"] = (
            "A dataset at this address is pre-registered already. If it is yours, have the link to its page sent again."
        )
        return _form(request, draft, 422)
    return go("/enrolment/sent")


def _form(request: Request, draft: forms.Draft, status: int = 200, focus: str = "") -> Response:
    order = [*forms.LONGEST, "representative"]
    draft.errors = dict(sorted(draft.errors.items(), key=lambda error: order.index(error[0])))
    return answer(
        request,
        "apply.html",
        status,
        draft=draft,
        focus=focus or next(iter(draft.errors), ""),
        longest=forms.LONGEST,
        countries=forms.country_names(),
        disciplines=forms.DISCIPLINES,
        claims=forms.CLAIMS,
    )


@router.get("/sent", **PAGE)
def sent(request: Request) -> Response:
    """Say that a letter is on its way."""
    return answer(request, "sent.html", again=False)


@router.get("/link", **PAGE)
def link_form(request: Request) -> Response:
    """Show the form for having one's link sent again."""
    return answer(request, "link.html")


@router.post("/link", **FORM)
def link(request: Request, desk: DeskOf, form: OwnForm) -> Response:
    """Send the links of an address's datasets to it; the answer is the same whether there are any."""
    limited(request, "link")
    contact = form.get("contact", "").casefold()
    with desk.registry.write() as connection:
        for found in domain.list_all(connection):
            if found.form["contact"].casefold() == contact and found.state in domain.ACTIONS["relink"]:
                hour = now()[:13]  # at most one letter an hour, however often it is asked for
                inputs = {"rotate": False, "cause": f"asked-{hour}"}
                domain.act(connection, found.slug, "relink", actor="applicant", inputs=inputs)
    return answer(request, "sent.html", again=True)


@router.get("/no-news/{slug}/{token}", **PAGE)
def no_news_form(request: Request, desk: DeskOf, slug: Slug, token: Token) -> Response:
    """Ask whether news shall end: programs that look at links in letters must not end them."""
    limited(request, "open")
    return answer(request, "no_news.html", done=False, slug=slug, token=token)


@router.post("/no-news/{slug}/{token}", **FORM)
async def no_news(request: Request, desk: DeskOf, slug: Slug, token: Token) -> Response:
    """End news, by our page or by one click in a mail program (RFC 8058), which has no cookie: the token is the proof."""
    limited(request, "open")
    await read_form(request)
    with desk.registry.write() as connection:
        row = find_application(connection, slug)
        if row is not None:
            found = domain.get(connection, slug)
            if desk.links.opens(found.to_json(), token, "news"):
                domain.end_news(connection, slug)
    return answer(request, "no_news.html", done=True, slug=slug, token=token)
