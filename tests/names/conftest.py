"""A little checklist that every test of names can stand on: homonyms, synonyms, subgenera, a virus and an OTU."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from dissco_platform.names.backbone import Backbone, build_backbone, open_backbone
from dissco_platform.names.keys import NAME_COLUMNS
from dissco_platform.names.match import match_queries
from dissco_platform.names.query import make_queries

CHECKLIST = """\
col:ID	col:parentID	col:status	col:rank	col:scientificName	col:authorship	col:code
ANI		accepted	kingdom	Animalia		zoological
CHO	ANI	accepted	phylum	Chordata		zoological
AVE	CHO	accepted	class	Aves		zoological
MUS	AVE	accepted	family	Muscicapidae	Fleming, 1822	zoological
OEA	MUS	accepted	genus	Oenanthe	Vieillot, 1816	zoological
OEO	OEA	accepted	species	Oenanthe oenanthe	(Linnaeus, 1758)	zoological
OEI	OEA	accepted	species	Oenanthe isabellina	(Temminck, 1829)	zoological
OES	OEO	synonym	species	Motacilla oenanthe	Linnaeus, 1758	zoological
OET	OEO	synonym	species	Saxicola oenanthe	(Linnaeus, 1758)	zoological
ART	ANI	accepted	phylum	Arthropoda		zoological
INS	ART	accepted	class	Insecta		zoological
CAR	INS	accepted	family	Carabidae	Latreille, 1802	zoological
CRB	CAR	accepted	genus	Carabus	Linnaeus, 1758	zoological
CRS	CRB	accepted	subgenus	Carabus (Archicarabus)	Seidlitz, 1887	zoological
CRN	CRS	accepted	species	Carabus (Archicarabus) nemoralis	O.F. Müller, 1764	zoological
CRP	CRN	accepted	subspecies	Carabus nemoralis prasinotinctus	Heyden, 1880	zoological
CRA	CRB	accepted	species	Carabus auratus	Linnaeus, 1760	zoological
CRH	CRB	accepted	species	Carabus hortensis	Linnaeus, 1758	zoological
CRX	CRB	accepted	species	Carabus xanthomelas	Author, 1900	zoological
PLA		accepted	kingdom	Plantae		botanical
API	PLA	accepted	family	Apiaceae	Lindl.	botanical
OEP	API	accepted	genus	Oenanthe	L.	botanical
OEQ	OEP	accepted	species	Oenanthe pimpinelloides	L.	botanical
BRO	PLA	accepted	species	Bromus sterilis	L.	botanical
BRG	BRO	synonym	species	Bromus sterilis	Guss.	botanical
OTU	ANI	accepted	unranked	BOLD:AAX3687		
VIR		accepted	species	Tobacco mosaic virus		virus
"""  # noqa: W291


@pytest.fixture(scope="session")
def checklist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ColDP folder with one NameUsage table and metadata."""
    folder = tmp_path_factory.mktemp("coldp")
    (folder / "NameUsage.tsv").write_text(CHECKLIST, "utf-8")
    (folder / "metadata.yaml").write_text(
        "title: A little checklist\nalias: LITTLE\nversion: '2026-01'\nlicense: cc by\ndoi: https://doi.org/10.1234/abc\n"
    )
    return folder


@pytest.fixture(scope="session")
def backbone(checklist: Path, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """Return the opened index of the little checklist."""
    out = tmp_path_factory.mktemp("index")
    build_backbone(checklist, out)
    return open_backbone(out)


def names(*rows: dict[str, str] | str) -> pl.DataFrame:
    """Return NAME_COLUMNS of rows given as a name or as bare terms."""
    dicts = [{"scientificName": row} if isinstance(row, str) else row for row in rows]
    return pl.DataFrame(
        {c: [row.get(c.removeprefix("dwc:")) for row in dicts] for c in NAME_COLUMNS},
        schema=dict.fromkeys(NAME_COLUMNS, pl.String),
    )


def match(index: Backbone, *rows: dict[str, str] | str, higher_rank: bool = True) -> Sequence[dict[str, object]]:
    """Match rows and return the answers as dicts."""
    queries, _ = make_queries(names(*rows))
    return match_queries(queries, index, higher_rank=higher_rank).to_dicts()
