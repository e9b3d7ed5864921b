"""JSON Schema of the documents, made from the model's table, and the check of rendered documents against it.

Content has no identifiers, version and dates yet, so the schema of content leaves out what publication fills in.
`placeholder_document` stamps placeholders on content, for a check against the official schemas or a preview.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from dissco_platform.opends.terms import OPEN_CLASSES, Term, model

PLACEHOLDER_DOI = "https://doi.org/10.3535/XXX-XXX-XXX"
PLACEHOLDER_DATE = "2000-01-01T00:00:00.000Z"
CONTEXT_TERMS = {
    "ods": "http://rs.dissco.eu/opends/terms/", "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dwciri": "http://rs.tdwg.org/dwc/iri/", "dcterms": "http://purl.org/dc/terms/", "ac": "http://rs.tdwg.org/ac/terms/",
    "chrono": "http://rs.tdwg.org/chrono/terms/", "eco": "http://rs.tdwg.org/eco/terms/", "schema": "http://schema.org/",
    "prov": "http://www.w3.org/ns/prov#", "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/", "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "xsd": "http://www.w3.org/2001/XMLSchema#",
}  # fmt: skip


def term_schema(term: Term) -> dict[str, Any]:
    """Return the JSON Schema of a term's value; nested ones refer to their class."""
    if term.nested:
        schema: dict[str, Any] = {"$ref": f"#/$defs/{term.range}"}
    else:
        schema = {"type": term.range}
        if term.const is not None:
            schema = {"const": term.const}
        if term.enum:
            schema["enum"] = list(term.enum)
        if term.pattern:
            schema["pattern"] = term.pattern
        if term.minimum is not None:
            schema["minimum"] = term.minimum
        if term.maximum is not None:
            schema["maximum"] = term.maximum
        if term.format and term.format not in {"url"}:
            schema["format"] = term.format
    if not term.many:
        return schema
    listed: dict[str, Any] = {"type": "array", "items": schema}
    if term.min_items:
        listed["minItems"] = term.min_items
    return listed


def json_schema(owner: str, *, content: bool = False) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a class with all classes below it.

    Args:
        owner: `ods:DigitalSpecimen` or `ods:DigitalMedia`.
        content: leave out what publication fills in.
    """
    definitions: dict[str, Any] = {}
    for name, terms in model().classes.items():
        kept = [
            term
            for term in terms.values()
            if not (content and name == owner and (term.filled == "publication" or term.name == "@type"))
        ]
        definitions[name] = {
            "type": "object",
            "properties": {term.name: term_schema(term) for term in kept},
            "required": [term.name for term in kept if term.required],
            "additionalProperties": name in OPEN_CLASSES and not content,
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{owner}",
        "$defs": definitions,
    }


@cache
def _validator(owner: str) -> Any:
    return jsonschema_rs.validator_for(json_schema(owner, content=True), validate_formats=True)


def problems(owner: str, contents: Sequence[str], relationships: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield (position, `path: reason`) of each document that does not fit the schema."""
    validator = _validator(owner)
    for at, (content, related) in enumerate(zip(contents, relationships, strict=True)):
        try:
            document = orjson.loads(content)
            document["ods:hasEntityRelationships"] = orjson.loads(related)
        except orjson.JSONDecodeError as error:
            yield at, f"not JSON: {error}"
            continue
        if not validator.is_valid(document):
            first = next(iter(validator.iter_errors(document)))
            path = "/".join(str(step) for step in first.instance_path) or "document"
            yield at, f"{path}: {first.message[:300]}"


def placeholder_document(owner: str, content: str, relationships: str) -> dict[str, Any]:
    """Return a whole document with placeholder identifiers, as publication would make it."""
    body = orjson.loads(content)
    return {
        "@context": json_ld_context(),
        "@id": PLACEHOLDER_DOI,
        "@type": owner,
        "dcterms:identifier": PLACEHOLDER_DOI,
        "ods:version": 1,
        "ods:status": "Active",
        "dcterms:created": PLACEHOLDER_DATE,
        "dcterms:modified": PLACEHOLDER_DATE,
        **body,
        "ods:hasEntityRelationships": orjson.loads(relationships),
    }


def json_ld_context() -> dict[str, Any]:
    """Return the JSON-LD context: prefixes, and types of what is no plain text.

    Lists of objects are unordered sets; a value typed `@id` is a link.
    """
    context: dict[str, Any] = {"@version": 1.1, **CONTEXT_TERMS}
    types = {"integer": "xsd:integer", "number": "xsd:double", "boolean": "xsd:boolean"}
    for terms in model().classes.values():
        for term in terms.values():
            if term.name.startswith("@"):
                continue
            if term.many:
                context[term.name] = {"@container": "@set"}
            elif term.range in types:
                context[term.name] = {"@type": types[term.range]}
            elif term.format in {"iri", "uri", "url"} or term.name in {
                "ods:organisationID",
                "ods:sourceSystemID",
                "ods:fdoType",
            }:
                context[term.name] = {"@type": "@id"}
            elif term.format == "date-time":
                context[term.name] = {"@type": "xsd:dateTime"}
    return dict(sorted(context.items()))
