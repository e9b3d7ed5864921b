"""The chain as Dagster assets: raw archive → parsed → taxon-harmonised → openDS → DOI-registered, a partition a dataset.

Each module is one asset: it reads its inputs, calls one domain function and records the result (`recording`). Rules of
the field are not here. What is out of date is computed in `sensors.reconcile`.
"""
