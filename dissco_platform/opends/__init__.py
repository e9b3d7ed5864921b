"""openDS: parsed specimen tables in, Digital Specimen and Digital Media documents out.

`build` runs the whole; `terms` holds the model, `mapping` says which column feeds which term, `transforms` and
`vocabularies` what a value means, `columns` and `render` turn tables into documents, `mids` and `topics` judge them.
Identifiers, versions, dates and links between specimens and media are stamped at publication: see `identity/`.
"""
