"""`dissco enrol …`: the desk of the enrolment programme. The waiting list's commands are in `waiting_list`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dissco_platform.cli.datasets import AsJson
from dissco_platform.cli.house import House
from dissco_platform.cli.output import console, messages, print_json, print_pairs, print_table
from dissco_platform.enrolment import desk, report
from dissco_platform.enrolment.follow_up import follow_up
from dissco_platform.enrolment.links import links_of
from dissco_platform.enrolment.notifications import Maildir, mailer_of, send_all
from dissco_platform.errors import UsageError
from dissco_platform.localfiles import local_path
from dissco_platform.registry import enrolment as statements

app = typer.Typer(help="Applications of institutions: submit, check, decide.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="Name of the application; later of its dataset.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with the decision.")]
Reason = Annotated[str, typer.Option(help="Why; the applicant is told.")]
Judged = Annotated[
    list[str] | None,
    typer.Option(
        "--grant-flag", help="Give points: reason (valid reason for high priority), mou, partner; repeatable."
    ),
]
Refused = Annotated[list[str] | None, typer.Option("--refuse-flag", help="Take points away; repeatable.")]


@app.command("submit")
def submit(
    slug: Slug,
    source: Annotated[str, typer.Option(help="Address at which the dataset is published.")],
    organisation: Annotated[str, typer.Option(help="ROR of the hosting institution; Wikidata id if it has none.")],
    contact: Annotated[str, typer.Option(help="Mail address of its representative.")],
    name: Annotated[str | None, typer.Option(help="Name of the institution.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the dataset.")] = None,
    country: Annotated[str | None, typer.Option(help="Country of the facility, two letters.")] = None,
    discipline: Annotated[str | None, typer.Option(help="Main discipline, as far as known.")] = None,
    expected_dois: Annotated[int | None, typer.Option(min=1, help="Specimens and media, as far as known.")] = None,
    doi_only: Annotated[bool, typer.Option("--doi-only", help="DOIs only instead of full digital specimens.")] = False,
    claim: Annotated[list[str] | None, typer.Option(help="Points that are claimed: reason, mou, partner.")] = None,
    by: By = "applicant",
    as_json: AsJson = False,
) -> None:
    """Pre-register a dataset; its date decides among equal points. Nothing is fetched yet.

    Example: dissco enrol submit ascidians --source https://ipt.example.org/archive.do?r=ascidians
    --organisation https://ror.org/0566bfb96 --contact curator@example.org
    """
    if country is not None and not (len(country) == 2 and country.isalpha()):
        raise UsageError(f"'{country}' is not a country: give its two letters, for example NL.")
    path = local_path(source)
    form = {
        "source": str(path.absolute()) if path is not None else source,
        "organisation": organisation,
        "contact": contact,
        "organisation_name": name,
        "title": title,
        "country": country.upper() if country else None,
        "discipline": discipline,
        "expected_dois": expected_dois,
        "doi_only": doi_only,
        "claims": sorted(_flags(claim, True)),
    }
    with House() as house, house.registry.write() as connection:
        found = desk.submit(connection, slug, form, actor=by)
    _show_state(found, as_json, f"Pre-registered {slug} on {found.registered[:10]}. Next: dissco enrol check {slug}")


@app.command("check")
def check(
    slug: Slug,
    ror_dump: Annotated[
        Path | None, typer.Option(help="ROR's data release (default: DISSCO_ROR_DUMP or _API).")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write the report as an HTML page to this file.")] = None,
    by: By = "desk",
    as_json: AsJson = False,
) -> None:
    """Load the dataset for trial, without DOIs, and say which requirements it meets.

    Example: dissco enrol check ascidians --page ascidians.html
    """
    with House() as house:
        made, found = house.workshop(ror_dump).check(slug, by=by)
        with house.registry.read() as connection:
            last = desk.history(connection, slug)[-1]
    if page is not None:
        _write(page, report.page(made.to_json(), last.time))
    if as_json:
        print_json({**made.to_json(), "state": found.state})
        return
    words = {"met": "met", "not_met": "NOT MET", "not_checkable": "not checked"}
    print_table(
        ["requirement", "", "evidence"],
        [
            [
                item.title,
                "in part" if item.status == "not_met" and not item.stops else words[item.status],
                item.evidence,
            ]
            for item in made.requirements
        ],
    )
    console.print(f"{slug} is {found.state.replace('_', ' ')}." + (f" Report: {page}" if page else ""))


@app.command("work")
def work(
    watch: Annotated[bool, typer.Option("--watch", help="Wait for more, until interrupted.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run the chain for what a round grants.")] = False,
    as_json: AsJson = False,
) -> None:
    """Do what was asked for on the web: trial loads and rounds; send the letters. `dissco portal` starts it by itself.

    Not needed where Dagster's daemon runs: its sensors do the same.
    """
    from dissco_platform.cli.desk_worker import work_off

    done = []
    with House() as house:
        for job in work_off(house, watch=watch, run=run):
            done.append({"job": job.id, "kind": job.kind, "application": job.application, "error": job.error})
            if not as_json:
                messages.print(f"{job.kind} {job.application or ''}: {job.error or 'done'}", soft_wrap=True)
    if as_json:
        print_json(done)


@app.command("list")
def list_all(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None, as_json: AsJson = False
) -> None:
    """List the applications by date of pre-registration."""
    with House() as house, house.registry.read() as connection:
        found = [entry for entry in desk.list_all(connection) if state in (None, entry.state)]
    if as_json:
        print_json([entry.to_json() for entry in found])
    elif not found:
        console.print("No application yet: dissco enrol submit SLUG --source … --organisation … --contact …")
    else:
        print_table(
            ["application", "state", "points", "registered", "needs", "granted", "institution"],
            [[e.slug, e.state, e.score.points, e.registered[:10], e.demand, e.granted, e.institution] for e in found],
        )


@app.command("show")
def show(
    slug: Slug,
    page: Annotated[Path | None, typer.Option(help="Write the latest check as an HTML page to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one application: what it asks for, its points, what happened when and why, letters and grants."""
    with House() as house, house.registry.read() as connection:
        found, events = desk.get(connection, slug), desk.history(connection, slug)
        letters = statements.notifications_of(connection, slug)
        grants = [dict(row) for row in statements.grants_of(connection, slug)]
    checks = [event for event in events if event.action == "check"]
    if page is not None:
        if not checks:
            raise UsageError(f"{slug} was not checked yet: dissco enrol check {slug}")
        _write(page, report.page(checks[-1].inputs, checks[-1].time))
    told = [
        {"time": event.time, "who": event.actor, "action": event.action, "reason": event.reason} for event in events
    ]
    sent = [
        {"time": row["created"], "letter": row["event"], "subject": row["subject"], "sent": row["sent"]}
        for row in letters
    ]
    if as_json:
        print_json({**found.to_json(), "events": told, "letters": sent, "grants": grants})
        return
    print_pairs(
        {
            "application": slug,
            "state": found.state,
            "source": found.form["source"],
            "institution": found.institution,
            "asks for": "DOIs only" if found.form.get("doi_only") else "full digital specimens",
            "registered": found.registered,
            "contact confirmed": found.confirmed,
            "DOIs still needed": found.demand,
            "DOIs granted": found.granted,
            "points": "; ".join([f"{found.score.points}", *found.score.reasons]),
        }
    )
    print_table(["when", "who", "what", "why"], [list(entry.values()) for entry in told])
    if sent:
        print_table(["when", "letter", "subject", "sent"], [list(entry.values()) for entry in sent])


@app.command("decide")
def decide(
    slug: Slug,
    action: Annotated[str, typer.Argument(help=f"One of: {', '.join(desk.DECISIONS)}.")],
    reason: Reason = "",
    grant_flag: Judged = None,
    refuse_flag: Refused = None,
    by: By = "desk",
    as_json: AsJson = False,
) -> None:
    """Decide on an application; who, when and why are kept, and the applicant gets a letter.

    Example: dissco enrol decide ascidians accept --grant-flag mou --by anna
    """
    if action not in desk.DECISIONS:
        raise UsageError(f"'{action}' is no decision; there are {', '.join(desk.DECISIONS)}.")
    flags = {**_flags(grant_flag, True), **_flags(refuse_flag, False)}
    with House() as house, house.registry.write() as connection:
        found = desk.act(connection, slug, action, actor=by, reason=reason, inputs={"flags": flags} if flags else {})
    _show_state(found, as_json, f"{slug} is {found.state.replace('_', ' ')} with {found.score.points} points.")


@app.command("amend")
def amend(
    slug: Slug,
    source: Annotated[str | None, typer.Option(help="New address of the dataset.")] = None,
    contact: Annotated[str | None, typer.Option(help="New mail address.")] = None,
    doi_only: Annotated[bool | None, typer.Option("--doi-only/--full", help="What is asked for.")] = None,
    by: By = "applicant",
    as_json: AsJson = False,
) -> None:
    """Change what an application asks for; its date stays, it has to be checked again."""
    path = local_path(source) if source else None
    asked = {"source": str(path.absolute()) if path else source, "contact": contact, "doi_only": doi_only}
    changed = {name: value for name, value in asked.items() if value is not None}
    if not changed:
        raise UsageError("Say what to change: --source, --contact, --doi-only or --full.")
    with House() as house, house.registry.write() as connection:
        found = desk.amend(connection, slug, changed, actor=by)
    _show_state(found, as_json, f"{slug} was changed. Next: dissco enrol check {slug}")


@app.command("refresh")
def refresh(as_json: AsJson = False) -> None:
    """Take note of what runs have done: first DOI, finished, problems; queue the letters."""
    with House() as house:
        follow_up(house.registry, house.settings.doi_prefix)
        with house.registry.read() as connection:
            found = [entry for entry in desk.list_all(connection) if entry.state in desk.RUNNING]
    if as_json:
        print_json([entry.to_json() for entry in found])
    else:
        print_table(["application", "state"], [[entry.slug, entry.state] for entry in found])


@app.command("letters")
def letters(
    send: Annotated[bool, typer.Option("--send", help="Send what is queued.")] = False,
    maildir: Annotated[Path | None, typer.Option(help="Folder for letters (default: maildir in DISSCO_HOME).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the letters that wait, or send them; sending again sends nothing twice.

    They go where DISSCO_ENROLMENT_MAIL says: a maildir in DISSCO_HOME, or the mail server (DISSCO_MAIL_SERVER).
    """
    with House() as house:
        if send:
            settings = house.settings
            mailer = (
                Maildir(maildir)
                if maildir is not None
                else mailer_of(settings.enrolment_mail, settings.home, settings.mail_server.get_secret_value())
            )
            done = send_all(house.registry, mailer, settings.mail_sender, links_of(settings))
            if as_json:
                print_json(done)
            else:
                told = f"{done['sent']:,} letters sent, {done['failed']:,} failed and kept"
                later = f", {done['waiting']:,} wait for tomorrow's news" if done["waiting"] else ""
                console.print(f"{told}{later}.")
            return
        with house.registry.read() as connection:
            rows = statements.unsent_notifications(connection)
    shown = [{"application": row["application"], "letter": row["event"], "subject": row["subject"]} for row in rows]
    if as_json:
        print_json(shown)
    else:
        print_table(["application", "letter", "subject"], [list(entry.values()) for entry in shown])


@app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Decide everything again from the stored inputs: applications from their events, rounds from their lists."""
    from dissco_platform.enrolment import rounds

    wrong = []
    with House() as house, house.registry.read() as connection:
        applications = desk.list_all(connection)
        for entry in applications:
            if desk.replay(entry.slug, desk.history(connection, entry.slug)) != entry:
                wrong.append(f"application {entry.slug} is not what its events make")
        stored = statements.list_rounds(connection)
        for row in stored:
            if not rounds.replay(row)[0]:
                wrong.append(f"round {row['id']} does not come out of its inputs")
    if as_json:
        print_json({"applications": len(applications), "rounds": len(stored), "findings": wrong})
    else:
        for finding in wrong:
            messages.print(finding)
        console.print(f"{len(applications):,} applications and {len(stored):,} rounds replayed, {len(wrong)} differ.")
    if wrong:
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from error


def _flags(named: list[str] | None, value: bool) -> dict[str, bool]:
    for flag in named or []:
        if flag not in desk.JUDGED_FLAGS:
            raise UsageError(
                f"'{flag}' gives no points that a person judges; there are {', '.join(desk.JUDGED_FLAGS)}."
            )
    return dict.fromkeys(named or [], value)


def _show_state(found: desk.Application, as_json: bool, text: str) -> None:
    if as_json:
        shown: dict[str, Any] = json.loads(statements.dumps(found.to_json()))
        print_json(shown)
    else:
        console.print(text, soft_wrap=True)
