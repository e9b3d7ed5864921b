"""The public face: what everyone who follows a DOI sees, the API behind it, search, dataset pages.

`app.py` puts the rooms together; each room is a module (or package) with a `router`. Nothing here writes: pages read the
registry through a read-only connection. How things look is `templates/` and `static/portal.css`.
"""
