"""GET /dois: many records, by page number or cursor, with filters, sorting and chosen fields.

The list is what is committed (and, with an index lag, older than that lag); a single record is `app.py`.
"""

import base64
import binascii
import math
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from dissco_platform.sandbox.records import resource
from dissco_platform.sandbox.storage import Storage

_LARGEST_PAGE: Final = 1000
_LAST_RESULT: Final = 10_000  # numbered pages end here; beyond, use the cursor
_DEFAULT_PAGE: Final = 25
_SORTS: Final = {"created": "created", "updated": "updated", "name": "doi"}
_LIST_ONLY_DROPS: Final = ("xml",)


class ListingError(Exception):
    """A list was asked for that there is not; the message is the answer's title, 400 its status."""


@dataclass(frozen=True)
class Query:
    """The parts of the query string that matter, decoded."""

    parameters: dict[str, str]

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter's text."""
        return self.parameters.get(name, default)

    def number(self, name: str, default: int) -> int:
        """Return a parameter as a number, the default if it is none."""
        text = self.get(name)
        return int(text) if text.isascii() and text.isdigit() else default


def list_dois(storage: Storage, query: Query, client: str | None, base_url: str, newest: str | None) -> dict[str, Any]:
    """Return a page of the records that `client` (None: anybody) may see.

    `newest` leaves out records updated after that time (ISO 8601), as an index that lags behind does.
    """
    where, parameters = _filters(query, client, newest)
    size = min(query.number("page[size]", _DEFAULT_PAGE), _LARGEST_PAGE)
    column, descending = _sort(query)
    total = sum(n for _, n in storage.group("1", where, parameters))
    meta: dict[str, Any] = {"total": total, "totalPages": math.ceil(total / size) if size else 0}
    if query.get("disable-facets") != "true":
        meta["states"] = _facet(storage, "state", where, parameters)
        meta["prefixes"] = _facet(storage, "substr(doi, 1, instr(doi, '/') - 1)", where, parameters)
        meta["created"] = _facet(storage, "substr(created, 1, 4)", where, parameters)
    order = f"order by {column} {'desc' if descending else 'asc'}, id {'desc' if descending else 'asc'}"
    following: dict[str, str] | None = None
    if "page[cursor]" in query.parameters:
        if query.get("random") == "true":
            raise ListingError("The cursor and random parameters cannot be used together.")
        position = _position(query.get("page[cursor]"))
        if position is not None:
            sign = "<" if descending else ">"
            where = f"({where}) and ({column}, id) {sign} (?, ?)"
            parameters = [*parameters, *position]
        rows = storage.select(where, parameters, f"{order} limit {size}")
        if rows and len(rows) == size:
            row_id, record = rows[-1]
            value = getattr(record, column) or ""
            mark = base64.urlsafe_b64encode(f"{value},{row_id}".encode()).decode().rstrip("=")
            following = {"page[cursor]": mark}
    else:
        number = max(query.number("page[number]", 1), 1)
        offset = (number - 1) * size
        if offset >= _LAST_RESULT and offset:
            raise ListingError("Only the first 10,000 results are available by page number: use page[cursor].")
        rows = storage.select(where, parameters, f"{order} limit {size} offset {offset}")
        meta["page"] = number
        if offset + size < min(total, _LAST_RESULT):
            following = {"page[number]": str(number + 1)}
    fields = {name for name in query.get("fields[dois]").split(",") if name}
    links = {"self": f"{base_url}?{urlencode(query.parameters)}"}
    if following is not None:
        links["next"] = f"{base_url}?{urlencode({**query.parameters, **following, 'page[size]': str(size)})}"
    return {"data": [_shown(resource(record), fields) for _, record in rows], "meta": meta, "links": links}


def _filters(query: Query, client: str | None, newest: str | None) -> tuple[str, list[object]]:
    conditions, parameters = ["(state = 'findable' or client = ?)"], [client or ""]
    values: list[object] = list(parameters)
    if ids := [text.strip().lower() for text in query.get("ids").split(",") if text.strip()]:
        if len(ids) > _LARGEST_PAGE:
            raise ListingError("At most 1,000 ids can be asked for at once.")
        conditions.append(f"doi in ({', '.join('?' * len(ids))})")
        values += ids
    if query.get("client-id"):
        conditions.append("client = ?")
        values.append(query.get("client-id").lower())
    if query.get("provider-id"):
        conditions.append("substr(client, 1, instr(client, '.') - 1) = ?")
        values.append(query.get("provider-id").lower())
    if query.get("prefix"):
        conditions.append("substr(doi, 1, ?) = ?")
        prefix = query.get("prefix") + "/"
        values += [len(prefix), prefix]
    if query.get("state"):
        states = query.get("state").split(",")
        conditions.append(f"state in ({', '.join('?' * len(states))})")
        values += states
    if newest is not None:
        conditions.append("updated <= ?")
        values.append(newest)
    return " and ".join(conditions), values


def _sort(query: Query) -> tuple[str, bool]:
    name = query.get("sort") or "-updated"
    descending = name.startswith("-")
    column = _SORTS.get(name.removeprefix("-"))
    return ("updated", True) if column is None else (column, descending)


def _position(cursor: str) -> tuple[str, int] | None:
    if cursor in {"", "1"}:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        value, _, row_id = text.rpartition(",")
        return value, int(row_id)
    except (binascii.Error, ValueError) as error:
        raise ListingError("The page[cursor] parameter is not one that this service gave out.") from error


def _facet(storage: Storage, expression: str, where: str, parameters: list[object]) -> list[dict[str, Any]]:
    rows = storage.group(expression, where, parameters)
    return [{"id": value, "title": str(value).capitalize(), "count": n} for value, n in rows]


def _shown(item: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    attributes = item["attributes"]
    for name in _LIST_ONLY_DROPS:
        attributes.pop(name, None)
    if fields:
        item["attributes"] = {name: value for name, value in attributes.items() if name in fields}
        if "relationships" not in fields and not fields & {"client", "provider"}:
            item.pop("relationships")
    return item
