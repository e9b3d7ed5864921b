"""The enrolment desk on the web: pre-registration, an application's own page, the waiting list, staff.

`context` (handles, limits), `guard` (forms, cross-site requests, cookies), `forms` (pre-registration, field by field),
`signing` (who is staff); the rooms are `front`, `applicant`, `listing`, `staff`. What anything means is `enrolment`'s.
"""
