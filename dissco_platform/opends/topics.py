"""What kind of thing a specimen is: topicOrigin, topicDomain, topicDiscipline, topicCategory, livingOrPreserved.

Facts are the two tables below. The accepted classification (of the matched name, else as written) decides for living
and preserved things; basisOfRecord decides for fossils, rocks, minerals and meteorites.

Sources: openDS 0.4.0 enumerations; topicCategory of the FDO profile digital-specimen 1.0.0. Fungi and algae are Botany
(with their category) as in collections' own departments; protists and prokaryotes are Microbiology.
"""

import polars as pl

# Name of a taxon (lower case) → discipline, category. Looked up at kingdom, phylum, class, the narrowest that is known.
TAXA: dict[str, tuple[str, str]] = {
    # kingdoms and domains
    "animalia": ("Zoology", "Other Zoology Objects"), "metazoa": ("Zoology", "Other Zoology Objects"),
    "plantae": ("Botany", "Other Botany Objects"), "viridiplantae": ("Botany", "Other Botany Objects"),
    "archaeplastida": ("Botany", "Other Botany Objects"),
    "fungi": ("Botany", "Macrofungi, Lichens & Myxomycetes"), "mycota": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "chromista": ("Microbiology", "Eukaryotic microorganisms"), "protozoa": ("Microbiology", "Protozoa"),
    "protista": ("Microbiology", "Protozoa"), "protoctista": ("Microbiology", "Protozoa"),
    "bacteria": ("Microbiology", "Bacteria & Archaea"), "archaea": ("Microbiology", "Bacteria & Archaea"),
    "monera": ("Microbiology", "Bacteria & Archaea"), "prokaryota": ("Microbiology", "Bacteria & Archaea"),
    "viruses": ("Microbiology", "Viruses"), "virus": ("Microbiology", "Viruses"),
    # virus realms and kingdoms (ICTV)
    "riboviria": ("Microbiology", "Viruses"), "orthornavirae": ("Microbiology", "Viruses"),
    "duplodnaviria": ("Microbiology", "Viruses"), "bamfordvirae": ("Microbiology", "Viruses"),
    "heunggongvirae": ("Microbiology", "Phages"), "pararnavirae": ("Microbiology", "Viruses"),
    "shotokuvirae": ("Microbiology", "Viruses"),
    # animals
    "porifera": ("Zoology", "Porifera"), "mollusca": ("Zoology", "Mollusca"), "cnidaria": ("Zoology", "Cnidaria"),
    "echinodermata": ("Zoology", "Echinodermata"), "insecta": ("Zoology", "Insects"),
    "hexapoda": ("Zoology", "Insects"),
    "collembola": ("Zoology", "Insects"), "entognatha": ("Zoology", "Insects"), "protura": ("Zoology", "Insects"),
    "diplura": ("Zoology", "Insects"), "arachnida": ("Zoology", "Arachnids"),
    "malacostraca": ("Zoology", "Crustaceans & Myriapods"),
    "crustacea": ("Zoology", "Crustaceans & Myriapods"), "maxillopoda": ("Zoology", "Crustaceans & Myriapods"),
    "branchiopoda": ("Zoology", "Crustaceans & Myriapods"), "ostracoda": ("Zoology", "Crustaceans & Myriapods"),
    "copepoda": ("Zoology", "Crustaceans & Myriapods"), "hexanauplia": ("Zoology", "Crustaceans & Myriapods"),
    "thecostraca": ("Zoology", "Crustaceans & Myriapods"), "cirripedia": ("Zoology", "Crustaceans & Myriapods"),
    "remipedia": ("Zoology", "Crustaceans & Myriapods"), "cephalocarida": ("Zoology", "Crustaceans & Myriapods"),
    "ichthyostraca": ("Zoology", "Crustaceans & Myriapods"), "branchiura": ("Zoology", "Crustaceans & Myriapods"),
    "tantulocarida": ("Zoology", "Crustaceans & Myriapods"), "mystacocarida": ("Zoology", "Crustaceans & Myriapods"),
    "diplopoda": ("Zoology", "Crustaceans & Myriapods"), "chilopoda": ("Zoology", "Crustaceans & Myriapods"),
    "myriapoda": ("Zoology", "Crustaceans & Myriapods"), "symphyla": ("Zoology", "Crustaceans & Myriapods"),
    "pauropoda": ("Zoology", "Crustaceans & Myriapods"),
    "actinopterygii": ("Zoology", "Fishes"), "actinopteri": ("Zoology", "Fishes"), "teleostei": ("Zoology", "Fishes"),
    "chondrichthyes": ("Zoology", "Fishes"), "elasmobranchii": ("Zoology", "Fishes"),
    "holocephali": ("Zoology", "Fishes"),
    "sarcopterygii": ("Zoology", "Fishes"), "pisces": ("Zoology", "Fishes"), "osteichthyes": ("Zoology", "Fishes"),
    "agnatha": ("Zoology", "Fishes"), "myxini": ("Zoology", "Fishes"), "petromyzonti": ("Zoology", "Fishes"),
    "cephalaspidomorphi": ("Zoology", "Fishes"), "dipneusti": ("Zoology", "Fishes"),
    "coelacanthi": ("Zoology", "Fishes"),
    "cladistii": ("Zoology", "Fishes"), "holostei": ("Zoology", "Fishes"),
    "amphibia": ("Zoology", "Amphibians"), "reptilia": ("Zoology", "Reptiles"), "squamata": ("Zoology", "Reptiles"),
    "testudines": ("Zoology", "Reptiles"), "crocodylia": ("Zoology", "Reptiles"),
    "sphenodontia": ("Zoology", "Reptiles"),
    "aves": ("Zoology", "Birds"), "mammalia": ("Zoology", "Mammals"), "chordata": ("Zoology", "Other Zoology Objects"),
    "arthropoda": ("Zoology", "Other Zoology Objects"), "annelida": ("Zoology", "Other Zoology Objects"),
    "nematoda": ("Zoology", "Other Zoology Objects"), "platyhelminthes": ("Zoology", "Other Zoology Objects"),
    "bryozoa": ("Zoology", "Other Zoology Objects"), "brachiopoda": ("Zoology", "Other Zoology Objects"),
    # orders, for records that give no class
    **dict.fromkeys(
        ("coleoptera", "lepidoptera", "diptera", "hymenoptera", "hemiptera", "heteroptera", "homoptera", "orthoptera",
         "odonata", "trichoptera", "neuroptera", "ephemeroptera", "plecoptera", "thysanoptera", "psocoptera", "blattodea",
         "mantodea", "phasmida", "phasmatodea", "siphonaptera", "mecoptera", "dermaptera", "megaloptera", "raphidioptera",
         "strepsiptera", "phthiraptera", "isoptera", "archaeognatha", "zygentoma", "embioptera", "psocodea"),
        ("Zoology", "Insects"),
    ),
    **dict.fromkeys(("araneae", "acari", "scorpiones", "opiliones", "ixodida", "pseudoscorpiones"), ("Zoology", "Arachnids")),
    **dict.fromkeys(
        ("decapoda", "amphipoda", "isopoda", "euphausiacea", "mysida", "cumacea", "tanaidacea"),
        ("Zoology", "Crustaceans & Myriapods"),
    ),
    **dict.fromkeys(("gastropoda", "bivalvia", "cephalopoda", "polyplacophora", "scaphopoda"), ("Zoology", "Mollusca")),
    **dict.fromkeys(("passeriformes", "charadriiformes", "anseriformes", "piciformes", "falconiformes"), ("Zoology", "Birds")),
    **dict.fromkeys(("rodentia", "carnivora", "chiroptera", "primates", "artiodactyla", "eulipotyphla"), ("Zoology", "Mammals")),
    # plants and algae
    "tracheophyta": ("Botany", "Seed plants"), "magnoliophyta": ("Botany", "Seed plants"),
    "spermatophyta": ("Botany", "Seed plants"), "angiospermae": ("Botany", "Seed plants"),
    "magnoliopsida": ("Botany", "Seed plants"), "liliopsida": ("Botany", "Seed plants"),
    "dicotyledoneae": ("Botany", "Seed plants"), "monocotyledoneae": ("Botany", "Seed plants"),
    "pinopsida": ("Botany", "Seed plants"), "cycadopsida": ("Botany", "Seed plants"),
    "ginkgoopsida": ("Botany", "Seed plants"), "gnetopsida": ("Botany", "Seed plants"),
    "pinophyta": ("Botany", "Seed plants"), "gymnospermae": ("Botany", "Seed plants"),
    "polypodiopsida": ("Botany", "Pteridophytes"), "lycopodiopsida": ("Botany", "Pteridophytes"),
    "equisetopsida": ("Botany", "Pteridophytes"), "pteridophyta": ("Botany", "Pteridophytes"),
    "filicopsida": ("Botany", "Pteridophytes"), "psilotopsida": ("Botany", "Pteridophytes"),
    "marattiopsida": ("Botany", "Pteridophytes"), "lycopodiophyta": ("Botany", "Pteridophytes"),
    "bryophyta": ("Botany", "Bryophytes"), "marchantiophyta": ("Botany", "Bryophytes"),
    "anthocerotophyta": ("Botany", "Bryophytes"), "bryopsida": ("Botany", "Bryophytes"),
    "jungermanniopsida": ("Botany", "Bryophytes"), "hepaticae": ("Botany", "Bryophytes"),
    "musci": ("Botany", "Bryophytes"),
    "chlorophyta": ("Botany", "Algae"), "charophyta": ("Botany", "Algae"), "rhodophyta": ("Botany", "Algae"),
    "phaeophyceae": ("Botany", "Algae"), "phaeophyta": ("Botany", "Algae"), "ochrophyta": ("Botany", "Algae"),
    "bacillariophyta": ("Botany", "Algae"), "bacillariophyceae": ("Botany", "Algae"), "haptophyta": ("Botany", "Algae"),
    "cryptophyta": ("Botany", "Algae"), "glaucophyta": ("Botany", "Algae"), "chrysophyta": ("Botany", "Algae"),
    "chrysophyceae": ("Botany", "Algae"), "xanthophyceae": ("Botany", "Algae"), "algae": ("Botany", "Algae"),
    "dinoflagellata": ("Botany", "Algae"), "dinophyceae": ("Botany", "Algae"), "euglenophyta": ("Botany", "Algae"),
    "cyanobacteria": ("Botany", "Algae"), "cyanophyta": ("Botany", "Algae"), "cyanophyceae": ("Botany", "Algae"),
    # fungi and what mycologists keep
    "ascomycota": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "basidiomycota": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "mycetozoa": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "myxomycetes": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "myxomycota": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "lichenes": ("Botany", "Macrofungi, Lichens & Myxomycetes"),
    "chytridiomycota": ("Botany", "Microfungi"), "zygomycota": ("Botany", "Microfungi"),
    "glomeromycota": ("Botany", "Microfungi"),
    "mucoromycota": ("Botany", "Microfungi"), "oomycota": ("Botany", "Microfungi"),
    "microsporidia": ("Botany", "Microfungi"),
    # protists
    "foraminifera": ("Microbiology", "Eukaryotic microorganisms"),
    "radiozoa": ("Microbiology", "Eukaryotic microorganisms"),
    "ciliophora": ("Microbiology", "Protozoa"), "apicomplexa": ("Microbiology", "Protozoa"),
    "myzozoa": ("Microbiology", "Protozoa"),
    "amoebozoa": ("Microbiology", "Protozoa"), "euglenozoa": ("Microbiology", "Protozoa"),
    "cercozoa": ("Microbiology", "Protozoa"),
}  # fmt: skip

# Code of nomenclature → discipline, for names whose classification is unknown.
CODES = {"ICZN": "Zoology", "ICN": "Botany", "ICNCP": "Botany", "ICNP": "Microbiology", "ICVCN": "Microbiology"}

# basisOfRecord → discipline, domain, category where it decides alone.
BASES: dict[str, tuple[str, str, str]] = {
    "FossilSpecimen": ("Palaeontology", "Life", "Other Palaeontology Objects"),
    "RockSpecimen": ("Geology", "Earth System", "Mixed Geology Objects"),
    "MineralSpecimen": ("Geology", "Earth System", "Minerals and Gems"),
    "MeteoriteSpecimen": ("Astrogeology", "Extraterrestrial", "Terrestrial Finds/Falls"),
}
ANTHROPOLOGY = (
    r"(?i)\banthropolog|\barchaeolog|\barcheolog|\bethnolog|\bethnograph|\bartefact|\bartifact|\bhuman remains"
    r"|\bosteolog.*human"
)
# A herbarium keeps plants, algae and fungi: Botany, where nothing else tells.
HERBARIUM = r"(?i)\bherbari"
_VERTEBRATES = ("Fishes", "Amphibians", "Reptiles", "Birds", "Mammals")
NOT_SPECIMENS = ("Observation", "HumanObservation", "MachineObservation", "MaterialCitation", "Occurrence")


def _look_up(column: pl.Expr, at: int, table: dict[str, tuple[str, str]]) -> pl.Expr:
    keys = list(table)
    return (
        column.str.to_lowercase()
        .str.extract(r"^\W*(\w+)", 1)
        .replace_strict(keys, [table[key][at] for key in keys], default=None, return_dtype=pl.String)
    )


def with_topics(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the topic fields added.

    Reads: `basis` (concept of basisOfRecord), `kingdom`, `phylum`, `class`, `order` (of the accepted name, else as
    written), `code` (concept of nomenclaturalCode), `collection` (collection's code, name and basis as written).

    Classifications repeat, so each distinct one is judged once.
    """
    inputs = ["basis", "kingdom", "phylum", "class", "order", "code", "human", "herbarium"]
    whole = frame.with_columns(
        pl.col("collection").str.contains(ANTHROPOLOGY).fill_null(value=False).alias("human"),
        pl.col("collection").str.contains(HERBARIUM).fill_null(value=False).alias("herbarium"),
    )
    kinds = whole.select(inputs).unique()
    kinds = _judged(_looked_up(kinds)).select(*inputs, *TOPIC_TERMS)
    return whole.join(kinds, on=inputs, how="left", nulls_equal=True, maintain_order="left").drop("human", "herbarium")


TOPIC_TERMS = (
    "ods:topicOrigin",
    "ods:topicDomain",
    "ods:topicDiscipline",
    "ods:topicCategory",
    "ods:livingOrPreserved",
)


def _looked_up(frame: pl.DataFrame) -> pl.DataFrame:
    ranks = [pl.col("class"), pl.col("order"), pl.col("phylum"), pl.col("kingdom")]
    bases = list(BASES)
    return frame.with_columns(
        pl.coalesce([_look_up(rank, 0, TAXA) for rank in ranks]).alias("by_taxon"),
        pl.coalesce([_look_up(rank, 1, TAXA) for rank in ranks]).alias("taxon_category"),
        pl.col("code")
        .replace_strict(list(CODES), list(CODES.values()), default=None, return_dtype=pl.String)
        .alias("by_code"),
        *(
            pl.col("basis")
            .replace_strict(bases, [BASES[base][at] for base in bases], default=None, return_dtype=pl.String)
            .alias(name)
            for at, name in enumerate(("by_basis", "basis_domain", "basis_category"))
        ),
    )


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    by_keeper = pl.when("herbarium").then(pl.lit("Botany"))
    discipline = (
        pl.when(pl.col("human") & pl.col("by_taxon").is_null() & pl.col("by_basis").is_null()).then(pl.lit("Anthropology"))
        .otherwise(pl.coalesce("by_basis", "by_taxon", "by_code", by_keeper, pl.lit("Unclassified")))
    )  # fmt: skip
    frame = frame.with_columns(discipline.alias("ods:topicDiscipline"))
    discipline, by_taxon = pl.col("ods:topicDiscipline"), pl.col("by_taxon")
    fossil = (
        pl.when(pl.col("taxon_category").is_in(_VERTEBRATES)).then(pl.lit("Vertebrate Fossils"))
        .when((by_taxon == "Zoology") & (pl.col("phylum").str.to_lowercase() == "chordata")).then(pl.lit("Vertebrate Fossils"))
        .when(by_taxon == "Zoology").then(pl.lit("Invertebrate Fossils"))
        .when(by_taxon == "Botany").then(pl.lit("Botany Fossils"))
        .otherwise(pl.lit("Other Palaeontology Objects"))
    )  # fmt: skip
    category = (
        pl.when(discipline == "Palaeontology").then(fossil)
        .when(discipline == "Anthropology").then(pl.lit("Other Anthropology Objects"))
        .otherwise(
            pl.coalesce(
                "basis_category",
                "taxon_category",
                pl.when(discipline.is_in(["Zoology", "Botany", "Microbiology"]))
                .then(pl.concat_str(pl.lit("Other "), discipline, pl.lit(" Objects"))),
                pl.lit("Unclassified"),
            )
        )
    )  # fmt: skip
    domain = (
        pl.when(discipline == "Anthropology").then(pl.lit("Cultural Artefacts"))
        .when(pl.col("basis_domain").is_not_null()).then(pl.col("basis_domain"))
        .when(discipline.is_in(["Zoology", "Botany", "Microbiology"])).then(pl.lit("Life"))
        .when(pl.col("basis").is_in(["PreservedSpecimen", "LivingSpecimen"])).then(pl.lit("Life"))
        .otherwise(pl.lit("Unclassified"))
    )  # fmt: skip
    living = (
        pl.when(pl.col("basis") == "LivingSpecimen").then(pl.lit("Living"))
        .when(pl.col("basis").is_not_null()).then(pl.lit("Preserved"))
    )  # fmt: skip
    origin = pl.when(discipline == "Anthropology").then(pl.lit("Unclassified")).otherwise(pl.lit("Natural"))
    return frame.with_columns(
        origin.alias("ods:topicOrigin"), domain.alias("ods:topicDomain"), category.alias("ods:topicCategory"),
        living.alias("ods:livingOrPreserved"),
    )  # fmt: skip
