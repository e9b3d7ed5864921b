"""Enrolment: from an institution's pre-registration to the first DOI.

`scoring` (points), `waiting_list` (who is granted how many DOIs; its settings in `parameters`), `allowance` (a grant as a cap
at minting), `requirements` (what is met, judged from the test load of `trial`; its words in `wording`), `organisations` and `ror`
(ROR and Wikidata), `report` (the check as a page for people), `desk` (states of an application), `follow_up` (what runs
have done), `rounds` (allocation rounds on the registry), `notifications` and `links` (outbox, mail, secret links), `staff`
(who may act). Statements are in `registry.enrolment` and `registry.desk`; commands in `cli.enrolment`; the Dagster asset in
`assets.waiting_list`; pages in `portal.desk`.
"""
