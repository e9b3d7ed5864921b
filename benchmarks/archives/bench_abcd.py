"""Reading ABCD: units a second, from an archive of response pages with everything that herbarium units have.

    python benchmarks/archives/bench_abcd.py --units 50000

Units are made here, about 80 elements each: identifications with higher taxa, gathering with agents, areas and coordinates,
two media, measurements, a type designation. Prints JSON and exits with 1 where fewer than `--rate` units a second are read
by wall time; CPU seconds count the helper processes too.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

PAGE = 1_000
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><biocase:response xmlns:biocase="http://www.biocase.org/schemas/protocol/1.3" '
    'xmlns:abcd="http://www.tdwg.org/schemas/abcd/2.06"><biocase:content recordCount="{count}" recordDropped="0">'
    "<abcd:DataSets><abcd:DataSet><abcd:Metadata><abcd:Description><abcd:Representation><abcd:Title>Herbarium"
    "</abcd:Title></abcd:Representation></abcd:Description></abcd:Metadata><abcd:Units>"
)
TAIL = "</abcd:Units></abcd:DataSet></abcd:DataSets></biocase:content></biocase:response>"


def element(name: str, *inner: str) -> str:
    """Return an element on lines of its own, as pywrapper writes them."""
    return f"\n  <abcd:{name}>{''.join(inner)}</abcd:{name}>"


def unit(number: int) -> str:
    """Return one unit of about 80 elements."""
    taxa = [
        ("regnum", "Plantae"),
        ("phylum", "Magnoliophyta"),
        ("familia", f"Family{number % 90}aceae"),
        ("ordo", "Rosales"),
    ]
    higher = [element("HigherTaxon", element("HigherTaxonName", n), element("HigherTaxonRank", r)) for r, n in taxa]
    botanical = element(
        "Botanical", element("GenusOrMonomial", f"Genus{number % 500}"), element("FirstEpithet", f"species{number % 4000}"),
        element("AuthorTeam", "L."),
    )  # fmt: skip
    name = element("ScientificName", element("FullScientificNameString", f"Genus{number % 500} species{number % 4000} L."),
                   element("NameAtomised", botanical))  # fmt: skip
    determined = element("Identification", element("Result", element("TaxonIdentified", element("HigherTaxa", *higher), name)),
                         element("PreferredFlag", "true"),
                         element("Identifiers", element("Identifier", element("PersonName", element("FullName", "A. Braun")))),
                         element("Date", element("DateText", "1901")))  # fmt: skip
    areas = [("Country", "Kenya"), ("Province", "Coast"), ("County", f"Area {number % 300}")]
    named = [element("NamedArea", element("AreaClass", c), element("AreaName", a)) for c, a in areas]
    agents = [
        element("GatheringAgent", element("Person", element("FullName", f"Collector {number % k}"))) for k in (70, 90)
    ]
    place = element("SiteCoordinateSets", element("SiteCoordinates", element("CoordinatesLatLong",
                    element("LongitudeDecimal", f"{number % 180}.5"), element("LatitudeDecimal", f"{number % 90}.25"),
                    element("SpatialDatum", "WGS84"))))  # fmt: skip
    gathering = element("Gathering", element("DateTime", element("ISODateTimeBegin", "1899-05-01")), element("Agents", *agents),
                        element("LocalityText", f"forêt, {number % 1000} m from the road"), element("Country",
                        element("Name", "Kenya"), element("ISO3166Code", "KE")),
                        element("NamedAreas", *named), place)  # fmt: skip
    media = [element("MultiMediaObject", element("FileURI", f"https://images.example.org/{number}/{k}.jpg"),
                     element("Format", "image/jpeg"), element("IPR", element("Licenses", element("License",
                     element("Text", "CC BY-SA 3.0"))))) for k in (1, 2)]  # fmt: skip
    types = element("SpecimenUnit", element("NomenclaturalTypeDesignations", element("NomenclaturalTypeDesignation",
                    element("TypeStatus", "isotype")))) if number % 20 == 0 else ""  # fmt: skip
    return element("Unit", element("UnitGUID", f"https://herbarium.example.org/object/B{number:09d}"),
                   element("SourceInstitutionID", "B"), element("SourceID", "Herbarium"), element("UnitID", f"B {number:09d}"),
                   element("Identifications", determined), element("RecordBasis", "PreservedSpecimen"), types,
                   element("MultiMediaObjects", *media), gathering)  # fmt: skip


def generate(path: Path, units: int) -> None:
    """Write an archive of pages of a thousand units."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for start in range(0, units, PAGE):
            numbers = range(start, min(start + PAGE, units))
            text = HEAD.format(count=len(numbers)) + "".join(unit(number) for number in numbers) + TAIL
            archive.writestr(f"response.{start // PAGE:05d}.xml", text)


def cpu() -> float:
    """CPU seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    from dissco_platform.archives import read_archive

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--units", type=int, default=30_000)
    parser.add_argument("--rate", type=float, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "pages.zip", Path(folder) / "out"
        generate(path, options.units)
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        out.mkdir()
        used, began = cpu(), time.perf_counter()
        parsed = read_archive(path, out)
        wall, used = time.perf_counter() - began, cpu() - used
        assert parsed.records == options.units and not parsed.rejects
    print(
        json.dumps(
            {
                "units": parsed.records,
                "megabytes": round(size / 1e6),
                "wall": round(wall, 2),
                "cpu": round(used, 2),
                "units_per_second": round(parsed.records / wall),
                "units_per_cpu_second": round(parsed.records / used),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
            indent=1,
        )
    )
    return 0 if parsed.records / wall >= options.rate else 1


if __name__ == "__main__":
    sys.exit(main())
