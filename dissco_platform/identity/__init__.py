"""Who a specimen is, for ever: identity keys, minting, versions, and what DataCite is told.

`keys` says when two records are the same specimen, `minting` gives it a DOI, `publish` commits versions, `datacite`
registers. The tables behind them are `dissco_platform.registry`.
"""
