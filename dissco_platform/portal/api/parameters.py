"""The shape of a question as the API takes it; names are those of `search.query`, the earlier backend's are understood too."""

from typing import Annotated, Any, Final, Literal

from fastapi import HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from dissco_platform.errors import UsageError
from dissco_platform.search.query import EXISTENCE, LARGEST_PAGE, MOST_IDENTIFIERS, MOST_VALUES, Question, question

# Search parameter of DiSSCo's earlier backend → ours.
ALIASES: Final = {
    "countryCode": "country", "organisationID": "institution", "collectionCode": "collection", "typeStatus": "type_status",
    "topicDiscipline": "discipline", "basisOfRecord": "basis", "midsLevel": "mids", "license": "licence",
    "hasMedia": "media", "physicalSpecimenID": "id", "pageSize": "size",
}  # fmt: skip

_DATE: Final = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$"
_LONGITUDE: Final = r"-?(180(\.0{1,9})?|1[0-7][0-9](\.[0-9]{1,9})?|[0-9]{1,2}(\.[0-9]{1,9})?)"
_LATITUDE: Final = r"-?(90(\.0{1,9})?|[0-8]?[0-9](\.[0-9]{1,9})?)"
_BOX: Final = rf"^{_LONGITUDE},{_LATITUDE},{_LONGITUDE},{_LATITUDE}$"
_HAS: Final = rf"^-?({'|'.join(EXISTENCE)})$"
_Values = Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=MOST_VALUES)]


class Asked(BaseModel):
    """A question: fields narrow it together, values of one field are alternatives."""

    model_config = ConfigDict(populate_by_name=True)

    q: str = Field("", max_length=1000, description='Words; "a phrase", begin*, -without')
    country: _Values = Field([], description="ISO 3166 code, or the name where there is no code")
    institution: _Values = Field([], description="ROR or Wikidata address")
    collection: _Values = Field([], description="Collection code")
    dataset: _Values = Field([], description="Short name of the dataset")
    type_status: _Values = []
    discipline: _Values = []
    basis: _Values = Field([], description="Basis of record")
    mids: list[Literal["0", "1", "2", "3"]] = Field([], max_length=4, description="MIDS level")
    licence: _Values = Field([], description="SPDX identifier")
    media: list[Literal["true", "false"]] = Field([], max_length=2)
    match: list[Literal["exact", "variant", "fuzzy", "higherRank", "ambiguous", "none"]] = Field(
        [], max_length=6, description="How the name was found in the checklist"
    )
    taxon: str = Field("", max_length=1500, description="Classification from the kingdom down, joined by |")
    kingdom: str = Field("", max_length=250)
    phylum: str = Field("", max_length=250)
    class_: str = Field("", alias="class", max_length=250)
    order: str = Field("", max_length=250)
    family: str = Field("", max_length=250)
    genus: str = Field("", max_length=250)
    species: str = Field("", max_length=250)
    from_: str | None = Field(
        None, alias="from", pattern=_DATE, description="Collected on this day, month, year or later"
    )
    to: str | None = Field(None, pattern=_DATE, description="Collected on this day, month, year or earlier")
    bbox: str | None = Field(
        None, pattern=_BOX, description="west,south,east,north in degrees; west > east crosses 180°"
    )
    id: list[Annotated[str, Field(max_length=300)]] = Field(
        [], max_length=MOST_IDENTIFIERS, description="DOI, catalogue number or another identifier, exactly"
    )
    has: list[Annotated[str, Field(pattern=_HAS)]] = Field(
        [], max_length=60, description="What has to be there, or with - must not"
    )

    def question(self, request: Request, **more: Any) -> Question:
        """Return the question.

        Raises:
            HTTPException: 400 or, for a cursor that leads nowhere, 404.
        """
        values: dict[str, list[str]] = {}
        for name, value in self.model_dump(by_alias=True).items():
            values[name] = list(value) if isinstance(value, list) else [value] if value else []
        for theirs, ours in ALIASES.items():
            values.setdefault(ours, []).extend(request.query_params.getlist(theirs)[:MOST_VALUES])
        for name, value in more.items():
            if value is not None:
                values[name] = [str(value)]
        try:
            return question(values)
        except UsageError as error:
            raise HTTPException(404 if str(error).startswith("cursor") else 400, str(error)) from error


AskedOf = Annotated[Asked, Query()]
Cursor = Annotated[str | None, Query(max_length=2000, description="`links.next` of the answer before has it")]
Size = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Objects a page")]
Sort = Annotated[Literal["name", "modified"], Query(description="By name, or the latest change first")]
