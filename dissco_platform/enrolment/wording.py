"""How counts and sentences are put in the report of a check. What is said is `requirements`."""


def number(count: int, what: str) -> str:
    """Return a count with its noun: "1 record", "2,000 records"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def media_count(count: int) -> str:
    """Return a count of media with its noun."""
    return f"{count:,} {'medium' if count == 1 else 'media'}"


def part_of(part: int, whole: int, noun: str, verb: str, verb_of_one: str) -> str:
    """Return a part of a whole with its verb: "All 20 records have", "1 of 3 records (33.3%) has"."""
    if part == whole:
        return f"The only {noun} {verb_of_one}" if whole == 1 else f"All {whole:,} {noun}s {verb}"
    share = f"({part / whole:.1%})" if whole else "(none)"
    return f"{part:,} of {number(whole, noun)} {share} {verb_of_one if part == 1 else verb}"


def size(count: int) -> str:
    """Return a number of bytes as people write it."""
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} GB"


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a sign at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
