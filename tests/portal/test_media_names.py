"""What a medium without a title of its own is called."""

from dissco_platform.portal.media_view import _named


def test_a_medium_is_named_after_what_it_is_and_its_specimen() -> None:
    shown = [("AAA-BBB-CCC", "Quercus robur"), ("DDD-EEE-FFF", "Fagus")]
    assert _named({"dcterms:type": "StillImage"}, shown) == "Image of Quercus robur"
    assert _named({}, shown) == "Medium of Quercus robur"
    assert _named({"dcterms:type": "Sound"}, []) is None
