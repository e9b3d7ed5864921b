"""The docs page says what the tables say."""

from dissco_platform.opends.docs import page
from tests.opends.tables import REPOSITORY


def test_the_docs_page_is_the_one_that_the_tables_make() -> None:
    written = (REPOSITORY / "docs" / "opends.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m dissco_platform.opends.docs > docs/opends.md"
