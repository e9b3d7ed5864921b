"""Enrolment: from an institution's pre-registration to the first DOI.

`scoring` (points), `waiting_list` (who is granted how many DOIs; its settings in `parameters`), `requirements` (what is
met, judged from the test load of `trial`), `organisations` (ROR and Wikidata), `report` (the check as a page for
people), `desk` (states of an application), `rounds` (allocation rounds on the registry), `notifications` (outbox and
mail). Statements are in `registry.enrolment`; commands in `cli.enrolment`; the Dagster asset in `assets.waiting_list`.
"""
