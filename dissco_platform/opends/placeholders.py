"""What databases write where they have nothing to say: one table, read by every class, counted by column.

A placeholder is no value: the next column of a rule is heard, and the count is kept with a build's report. Left as
written are licences (`unknown` is no reason to take the dataset's), ISO country codes (NA is Namibia) and whatever a
vocabulary knows (`unknown` is a concept of sex). MIDS's own reasons (`unknown:undigitized`, …) say something and stay.

Sources: missing-value marks of R (NA), Python (nan, None), SQL (NULL), spreadsheets (#N/A) and MySQL (0000-00-00); s.n.
and s.d. (sine numero, sine dato) of herbarium labels; words for unknown in the languages of collections.
"""

from functools import cache

import polars as pl

from dissco_platform.opends.mapping import ListRule, Mapping, Rule, rule_columns

WRITTEN = (
    "NA", "N/A", "n.a.", "N.A.", "#N/A", "#REF!", "#VALUE!", "#NAME?", "nan", "null", "<null>", "(null)", "[null]", "\\N",
    "none", "nil", "n/d", "n.d.", "s.n.", "s. n.", "s.d.", "s. d.", "s/n", "s/d", "-", "--", "---", "–", "—", "_", ".", "..",
    "...", "?", "??", "???", "[?]", "(?)", "*", "/", "//", "|", ",", ";", "''", '""', "[]", "{}", "()", "empty", "blank",
    "unknown", "unknown.", "[unknown]", "(unknown)", "unk", "unk.", "not known", "not recorded", "not provided",
    "not available", "not applicable", "not stated", "not specified", "not given", "not indicated", "not entered",
    "not determined", "unspecified", "undefined", "no data", "no value", "no information", "data not available",
    "0000-00-00", "0000-00-00T00:00:00", "000-00-0000", "00/00/0000", "00.00.0000", "00-00-0000", "0000/00/00", "0000-00",
    "missing", "unbekannt", "keine angabe", "k.a.", "o.a.", "ohne angabe", "inconnu", "inconnue", "non renseigné",
    "non précisé", "non communiqué", "desconocido", "desconocida", "sin datos", "sin dato", "no disponible",
    "desconhecido", "desconhecida", "sem dados", "sconosciuto", "sconosciuta", "onbekend", "ukendt", "ukjent", "okänd",
    "tuntematon", "nieznany", "neznámý", "ismeretlen", "неизвестно", "不明", "未知",
)  # fmt: skip
KEPT_COLUMNS = frozenset(
    {
        "dwc:countryCode", "abcd:Gathering/Country/ISO3166Code", "dcterms:license", "dc:license", "dcterms:rights",
        "dc:rights", "xmpRights:UsageTerms", "xmpRights:WebStatement", "abcd:DataSet/License",
        # here the same marks are values: a doubt, a loss, an absence that was measured
        "dwc:identificationQualifier", "dwc:disposition", "abcd:SpecimenUnit/Disposition", "dwc:measurementValue",
        "dwc:assertionValue",
    }
)  # fmt: skip


@cache
def spellings() -> frozenset[str]:
    """Return the placeholders in the cases that they are written in: an exact look-up costs a third of lower-casing."""
    return frozenset(
        spelling for word in WRITTEN for spelling in (word, word.lower(), word.upper(), word.capitalize(), word.title())
    )


def is_placeholder(text: str) -> bool:
    """Return whether a text says nothing."""
    return text.strip() in spellings()


def columns_of(mapping: Mapping, table: str) -> set[str]:
    """Return the columns in which a placeholder is no value: those that a rule without a vocabulary reads."""
    read: set[str] = set()
    kept: set[str] = set(KEPT_COLUMNS)
    for (_, block), rules in mapping.blocks.items():
        if block != table:
            continue
        for rule in rules.values():
            known = isinstance(rule, Rule) and rule.vocabulary is not None
            (kept if known else read).update(rule_columns(rule))
            if isinstance(rule, ListRule):
                read.update(rule_columns(rule))
    return read - kept


def without_placeholders(
    frame: pl.DataFrame, mapping: Mapping, table: str, counted: dict[str, int] | None = None
) -> pl.DataFrame:
    """Return a parsed table without placeholders in the columns that the mapping reads.

    Args:
        frame: rows of a parsed table.
        mapping: tells which columns are read, and which by a vocabulary.
        table: the table's name.
        counted: receives the number of placeholders by column.
    """
    read: set[str] | None = mapping.made.get(("placeholders", table))
    if read is None:
        read = mapping.made["placeholders", table] = columns_of(mapping, table)
    typed = zip(frame.columns, frame.dtypes, strict=True)
    names = [name for name, dtype in typed if name in read and dtype == pl.String]
    if not names or frame.is_empty():
        return frame
    listed = pl.Series(sorted(spellings()), dtype=pl.String).implode()
    empty = {name: pl.col(name).is_in(listed) for name in names}
    found = frame.select(expr.sum().alias(name) for name, expr in empty.items()).row(0, named=True)
    dirty = [name for name in names if found[name]]
    if counted is not None:
        for name in dirty:
            counted[name] = counted.get(name, 0) + found[name]
    return (
        frame.with_columns(pl.when(~empty[name]).then(pl.col(name)).alias(name) for name in dirty) if dirty else frame
    )
