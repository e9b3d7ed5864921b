"""What the records of a generated archive say: names, gatherings, people, numbers, each from its row's number alone.

What a record says hangs together as it does in published archives. Measured on six of them (19 to 31,485 records):

- 25 to 31 cells are filled in a museum's own export, 60 to 68 in one that an aggregator filled up; here 43 of 72 columns;
- a classification belongs to a name: 1.01 combinations of all name columns a scientific name (here the same, but for one
  record in fifty that was typed otherwise); 9 to 14 names a hundred records (here 34 at 100,000 records, 5 at a million);
- year, month and day say the same as eventDate in every record (here but for one in two hundred); three of five archives
  write midnight behind the day, the others plain days, some months and years alone;
- specimens come in gatherings: 13 different coordinates and 2 to 16 localities a hundred records (here one in four);
- where there are extensions at all, 1.0 to 1.3 images and about as many identifications a record; one row in five thousand
  is broken. Many archives have no extension.
"""

import polars as pl

SEED = 20_261_122
GENERA = 4_000
SPECIES = 50_000

SYLLABLE_TEXT = "ba co di fu ga he li mo na pe qui ro sa te vu xy za phor cer don mel gra stri pla tyr"
SYLLABLES = SYLLABLE_TEXT.split()
FAMILIES = [f"{a.title()}{b}idae" for a in SYLLABLES[:10] for b in SYLLABLES[10:16]]
COUNTRIES = [
    ("France", "FR"), ("Germany", "DE"), ("Brazil", "BR"), ("Indonesia", "ID"), ("Kenya", "KE"), ("Perú", "PE"),
    ("Österreich", "AT"), ("Portugal", "PT"), ("Türkiye", "TR"), ("Vanuatu", "VU"), ("Belgium", "BE"), ("Ghana", "GH"),
]  # fmt: skip
COLLECTORS = [f"{chr(65 + i % 26)}. {s.title()}{t}" for i, (s, t) in enumerate(
    (s, t) for s in SYLLABLES for t in ("mann", "sson", "ez", "ova", "é", "ström", "ini"))]  # fmt: skip
PLACES = [f"{a.title()}{b} {c}" for a in SYLLABLES[:15] for b in ("burg", "ville", "ø", "wald", "són")
          for c in ("near the river mouth, left bank", "5 km N of the village", "forêt, 300 m", "Küste")]  # fmt: skip

ORDERS = [  # of a family: order, class, phylum, kingdom, code of nomenclature
    *((order, "Insecta", "Arthropoda", "Animalia", "ICZN") for order in
      ("Coleoptera", "Lepidoptera", "Diptera", "Hymenoptera")),
    ("Asterales", "Magnoliopsida", "Tracheophyta", "Plantae", "ICN"),
]  # fmt: skip
OF_NAME = {"name", "author", "genus", "family", "order", "class", "phylum", "kingdom", "rank", "code"}
OF_EVENT = {
    "eventDate", "eventYear", "eventMonth", "eventDay", "verbatimDate", "place", "locality", "latitude", "longitude",
    "country", "countryCode",
}  # fmt: skip

COLUMN_TEXT = """
dwc:occurrenceID = id @ 1.0
dwc:catalogNumber = catalog @ 1.0
dwc:institutionCode = const:XMPL @ 1.0
dwc:collectionCode = pick:ENT|BOT|ICH|PAL @ 1.0
dwc:basisOfRecord = const:PreservedSpecimen @ 1.0
dcterms:license = const:http://creativecommons.org/publicdomain/zero/1.0/legalcode @ 1.0
dcterms:modified = date @ 1.0
dcterms:rightsHolder = const:Example Museum of Natural History @ 1.0
dwc:scientificName = name @ 0.99
dwc:scientificNameAuthorship = author @ 0.9
dwc:genus = genus @ 0.97
dwc:specificEpithet = epithet @ 0.9
dwc:infraspecificEpithet = infra @ 0.04
dwc:family = family @ 0.95
dwc:order = order @ 0.95
dwc:class = class @ 0.95
dwc:phylum = phylum @ 0.95
dwc:kingdom = kingdom @ 1.0
dwc:taxonRank = rank @ 0.9
dwc:nomenclaturalCode = code @ 0.5
dwc:recordedBy = collector @ 0.8
dwc:recordNumber = number @ 0.5
dwc:eventDate = eventDate @ 0.8
dwc:year = eventYear @ 0.8
dwc:month = eventMonth @ 0.75
dwc:day = eventDay @ 0.7
dwc:verbatimEventDate = verbatimDate @ 0.3
dwc:country = country @ 0.9
dwc:countryCode = countryCode @ 0.9
dwc:stateProvince = place @ 0.5
dwc:county = place @ 0.2
dwc:municipality = place @ 0.2
dwc:locality = locality @ 0.85
dwc:verbatimLocality = place @ 0.3
dwc:continent = pick:Europe|Africa|Asia|South America @ 0.6
dwc:decimalLatitude = latitude @ 0.6
dwc:decimalLongitude = longitude @ 0.6
dwc:geodeticDatum = const:WGS84 @ 0.6
dwc:coordinateUncertaintyInMeters = number @ 0.4
dwc:minimumElevationInMeters = number @ 0.3
dwc:maximumElevationInMeters = number @ 0.2
dwc:habitat = place @ 0.3
dwc:samplingProtocol = pick:net|light trap|by hand|Malaise trap @ 0.2
dwc:identifiedBy = collector @ 0.5
dwc:dateIdentified = date @ 0.4
dwc:typeStatus = pick:holotype|paratype|paratype|syntype @ 0.02
dwc:individualCount = month @ 0.6
dwc:sex = pick:male|female|♀|♂ @ 0.3
dwc:lifeStage = pick:adult|larva @ 0.3
dwc:preparations = pick:pinned|in alcohol|slide|sheet @ 0.7
dwc:disposition = const:in collection @ 0.4
dwc:otherCatalogNumbers = catalog @ 0.1
dwc:associatedMedia = url @ 0.05
dwc:occurrenceRemarks = place @ 0.15
dwc:fieldNumber = number @ 0.2
dwc:datasetName = const:Example collections @ 1.0
dwc:datasetID = const:d3b0c8a2-9f5e @ 1.0
dwc:institutionID = const:https://ror.org/00example0 @ 1.0
dwc:collectionID = const:urn:lsid:example.org:col:1 @ 1.0
dcterms:language = const:en @ 1.0
dcterms:type = const:PhysicalObject @ 1.0
dwc:ownerInstitutionCode = const:XMPL @ 0.8
dwc:higherGeography = place @ 0.4
dwc:island = place @ 0.05
dwc:waterBody = place @ 0.05
dwc:georeferencedBy = collector @ 0.2
dwc:georeferenceProtocol = const:Georeferencing Quick Reference Guide @ 0.2
dwc:identificationQualifier = pick:cf.|aff.|? @ 0.02
dwc:previousIdentifications = name @ 0.1
dwc:dynamicProperties = pick:{"drawer": 12}|{"drawer": 7} @ 0.1
dcterms:references = url @ 0.9
"""
COLUMNS: list[tuple[str, str, float]] = [
    # term, kind of value, share of filled cells
    (line.split(" = ")[0], line.split(" = ")[1].split(" @ ")[0], float(line.rsplit(" @ ")[1]))
    for line in COLUMN_TEXT.strip().splitlines()
]


def mix(rows: pl.Series, salt: int) -> pl.Series:
    """SplitMix64 of (row, salt): UInt64, the same everywhere."""
    z = (rows.cast(pl.UInt64) + 1) * 0x9E3779B97F4A7C15 + (salt * 0xD1B54A32D192ED03 + SEED) % 2**64
    z = (z ^ (z // 2**30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z // 2**27)) * 0x94D049BB133111EB
    return (z ^ (z // 2**31)).alias("z")


def unit(rows: pl.Series, salt: int) -> pl.Series:
    """Numbers in [0, 1)."""
    return (mix(rows, salt) // 2**11).cast(pl.Float64) / 2**53


def pick(values: list[str], at: pl.Series) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(at.cast(pl.UInt32))


def _words(count: int, endings: list[str]) -> list[str]:
    base = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
    return [base[(i * 7919) % len(base)] + endings[i % len(endings)] for i in range(count)]


GENUS = [word.title() for word in _words(GENERA, ["us", "a", "ia", "ops"])]
EPITHET = _words(SPECIES, ["us", "a", "um", "ensis", "alis", "i"])
AUTHORS = [f"{name.split()[-1]}, {1758 + i % 260}" for i, name in enumerate(COLLECTORS * 3)]


def species_of(rows: pl.Series) -> pl.Series:
    """Return a species a row, skewed as names are: few names on many specimens."""
    return (SPECIES * unit(rows, 1) ** 3).cast(pl.Int64)


class Rows:
    """A block of rows. Columns of a name hang on `species`, those of a gathering on `event`, the others on the row."""

    def __init__(self, rows: pl.Series, species: pl.Series) -> None:
        self.rows, self.species = rows, species
        self.event = rows // 4
        self.country = mix(self.event, 2) % len(COUNTRIES)
        # one record in fifty has cells of its name filled or left as no other of its species
        typed = pl.DataFrame({"s": species, "r": rows, "u": unit(rows, 777)})
        self.spelling = typed.select(pl.when(pl.col("u") < 0.02).then(pl.col("r") + SPECIES).otherwise("s").alias("x"))[
            "x"
        ]
        self.below = (unit(self.spelling, 778) < 0.04).alias("below")
        self.named = (unit(self.spelling, 779) < 0.9).alias("named")

    def _event_column(self, kind: str) -> pl.Series:
        """Return a part of the date of gathering: a day, a day at midnight, a month or a year, and its year, month, day."""
        z, at = mix(self.event, 3), unit(self.event, 4)
        day = {"y": 1850 + z % 170, "m": 1 + z // 200 % 12, "d": 1 + z // 3000 % 28, "at": at}
        frame = pl.DataFrame({**day, "odd": unit(self.rows, 5)})
        y, m, d = (pl.col(name).cast(pl.String) for name in "ymd")
        has_day, has_month = pl.col("at") < 0.8, pl.col("at") < 0.92
        iso = pl.format("{}-{}-{}", y, m.str.zfill(2), d.str.zfill(2))
        made = {
            "eventDate": pl.when(pl.col("at") < 0.3).then(pl.format("{}T00:00:00", iso)).when(has_day).then(iso)
            .when(has_month).then(pl.format("{}-{}", y, m.str.zfill(2))).otherwise(y),
            "eventYear": pl.when(pl.col("odd") < 0.005).then((pl.col("y") + 1).cast(pl.String)).otherwise(y),
            "eventMonth": pl.when(has_month).then(m),
            "eventDay": pl.when(has_day).then(d),
            "verbatimDate": pl.when(has_day).then(pl.format("{}.{}.{}", d, m, y)).otherwise(y),
        }  # fmt: skip
        return frame.select(made[kind].alias("v"))["v"]

    def column(self, kind: str, salt: int) -> pl.Series:
        rows, species = self.rows, self.species
        if kind.startswith("event") or kind == "verbatimDate":
            return self._event_column(kind)
        z = mix(self.event if kind in OF_EVENT else rows, salt)
        name, _, rest = kind.partition(":")
        if name == "const":
            return pl.Series([rest] * rows.len())
        if name == "pick":
            options = rest.split("|")
            return pick(options, z % len(options))
        text = rows.cast(pl.String)
        genus, epithet = pick(GENUS, species % GENERA), pick(EPITHET, species)
        infra = pick(EPITHET, (species * 7 + 11) % SPECIES)
        frame = pl.DataFrame({"t": text, "g": genus, "e": epithet, "i": infra, "z": z}).with_columns(
            self.below, self.named, event=self.event
        )
        family = species % len(FAMILIES) % len(ORDERS)
        above = ("order", "class", "phylum", "kingdom", "code")
        if name in above:
            return pick([order[above.index(name)] for order in ORDERS], family)
        made: dict[str, pl.Expr] = {
            "id": pl.format("https://example.org/specimen/{}-{}", "t", pl.col("z").cast(pl.String)),
            "catalog": pl.format("XMPL.{}", pl.col("t").str.zfill(8)),
            "name": pl.when(~pl.col("named"))
            .then("g")
            .when("below")
            .then(pl.format("{} {} {}", "g", "e", "i"))
            .otherwise(pl.format("{} {}", "g", "e")),
            "genus": pl.col("g"),
            "epithet": pl.when("named").then("e"),
            "infra": pl.when(pl.col("named") & pl.col("below")).then("i"),
            "rank": pl.when(~pl.col("named"))
            .then(pl.lit("genus"))
            .when("below")
            .then(pl.lit("subspecies"))
            .otherwise(pl.lit("species")),
            "locality": pl.format("{} km from {}", pl.col("z") % 40, "p"),
            "number": (pl.col("z") % 3000).cast(pl.String),
            "month": (1 + pl.col("z") % 12).cast(pl.String),
            "url": pl.format("https://media.example.org/{}/{}.jpg", (pl.col("z") % 97).cast(pl.String), "t"),
            "latitude": ((pl.col("z") % 1_700_000).cast(pl.Float64) / 10_000 - 85).round(4).cast(pl.String),
            "longitude": ((pl.col("z") % 3_600_000).cast(pl.Float64) / 10_000 - 180).round(4).cast(pl.String),
            "date": pl.format(
                "{}-{}-{}",
                (1850 + pl.col("z") % 170).cast(pl.String),
                (1 + pl.col("z") // 200 % 12).cast(pl.String).str.zfill(2),
                (1 + pl.col("z") // 3000 % 28).cast(pl.String).str.zfill(2),
            ),
        }
        if name in made:
            return frame.with_columns(pick(PLACES, z // 64 % len(PLACES)).alias("p")).select(made[name].alias("v"))["v"]
        tables = {"author": (AUTHORS, species % len(AUTHORS)), "family": (FAMILIES, species % len(FAMILIES)),
                  "collector": (COLLECTORS, (len(COLLECTORS) * unit(self.event, salt) ** 2).cast(pl.Int64)),
                  "place": (PLACES, z % len(PLACES)),
                  "country": ([c for c, _ in COUNTRIES], self.country),
                  "countryCode": ([c for _, c in COUNTRIES], self.country)}  # fmt: skip
        values, at = tables[name]
        return pick(values, at)

    def frame(self, columns: list[tuple[str, str, float]], salt: int) -> pl.DataFrame:
        series = []
        for position, (term, kind, share) in enumerate(columns):
            values = self.column(kind, salt + position)
            # epithets are filled where there are any
            if share < 1 and kind not in {"epithet", "infra"}:
                by = self.spelling if kind in OF_NAME else self.event if kind in OF_EVENT else self.rows
                kept = unit(by, 1000 + salt + position) < share
                values = pl.select(pl.when(kept).then(values).otherwise(None).alias(term))[term]
            series.append(values.alias(term))
        return pl.DataFrame(series)
