"""Enrolment: from an institution's pre-registration to the first DOI.

`scoring` (points), `waiting_list` (who is granted how many DOIs), `requirements` (a test load that says what is met),
`organisations` (ROR and Wikidata), `report` (the check as a page for people), `desk` (states of an application),
`rounds` (allocation rounds on the registry), `notifications` (outbox and mail). Statements are in
`registry.enrolment`; commands in `cli.enrolment`; the Dagster asset in `assets.waiting_list`.
"""
