"""DOI suffixes: derived, not drawn, so that the same specimen gets the same DOI however often a run is repeated.

Suffix = three groups of three symbols out of 33 (no I, O, U: read aloud and typed from labels without confusion), from
a keyed hash of the identity key. The registry's unique index decides; a suffix that another key already has is probed
again with the next attempt, and the attempt is stored. Space 33^9 = 4.64·10^13: with 20 M issued some four pairs collide.
The key is made once and lives in the registry; another key would give other suffixes, never change stored ones.
"""

import itertools
import secrets

import polars as pl
import polars_hash  # noqa: F401  registers .chash

ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZ"
LENGTH = 9
KEY_SETTING = "minting_key"

# Every group of three symbols by its number: three look-ups make a suffix, nine of single symbols take thrice as long.
_GROUPS = pl.Series("groups", ["".join(symbols) for symbols in itertools.product(ALPHABET, repeat=3)])
_GROUP = pl.Enum(_GROUPS)


def new_key() -> str:
    """Return a new random minting key (64 hexadecimal digits)."""
    return secrets.token_hex(32)


def suffixes(kind: pl.Expr, identity_key: pl.Expr, attempt: pl.Expr, key: str) -> pl.Expr:
    """Return the suffix (`ABC-DEF-GH2`) of each identity key at the given attempt (0 is the first).

    Args:
        kind: `specimen` or `media`, so that a URL can be both without meeting itself.
        identity_key: as `keys` normalises it.
        attempt: Int64, how often a suffix of this key was found taken.
        key: the registry's minting key.
    """
    # Named for its key, as an expression is: a series that is looked into would lend its own name.
    return suffix_of(numbers(kind, identity_key, attempt, key)).alias("suffix")


def numbers(kind: pl.Expr, identity_key: pl.Expr, attempt: pl.Expr, key: str) -> pl.Expr:
    """Return the same as numbers below 33^9 (Int64), which take less room; see `suffixes` and `suffix_of`."""
    text = pl.concat_str([kind, identity_key, attempt.cast(pl.String)], separator="\x00")
    digest = text.chash.hmac_sha256(key=key)  # type: ignore[attr-defined]
    # 15 hexadecimal digits fit a signed 64-bit integer; modulo 33^9 the bias is below 5·10^-5.
    number: pl.Expr = digest.str.head(15).str.to_integer(base=16, dtype=pl.Int64) % len(ALPHABET) ** LENGTH
    return number.alias("number")


def suffix_of(number: pl.Expr) -> pl.Expr:
    """Return the suffix that a number stands for."""
    groups = [pl.lit(_GROUPS).gather((number // len(_GROUPS) ** place) % len(_GROUPS)) for place in (2, 1, 0)]
    return pl.concat_str(groups, separator="-").alias("suffix")


def number_of(suffix: pl.Expr) -> pl.Expr:
    """Return the number that a suffix stands for (Int64), null for null."""
    groups = [suffix.str.slice(start, 3).cast(_GROUP).to_physical().cast(pl.Int64) for start in (0, 4, 8)]
    return (groups[0] * len(_GROUPS) + groups[1]) * len(_GROUPS) + groups[2]


def handle_suffix() -> str:
    """Return a random suffix for a handle that is minted once by hand (a dataset's source system)."""
    symbols = [secrets.choice(ALPHABET) for _ in range(LENGTH)]
    return "-".join("".join(symbols[start : start + 3]) for start in range(0, LENGTH, 3))
