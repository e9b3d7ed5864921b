"""How the example archives and the example checklist are made.

One module a thing: `facts` (the tables in ../facts and deterministic choices), `checklist` (ColDP), `names` (what
labels say), `herbarium`, `zoology`, `fossils` (the records of each collection), `editions` (what changes in the second
week), `archive` (descriptor, metadata and zip), `report` (the tables of the README). The platform itself imports
nothing from here.
"""
