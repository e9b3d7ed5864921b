"""The API: JSON:API-shaped, described in OpenAPI, cursors instead of page numbers.

`model` is the shape of answers, `parameters` of questions; `specimens` and `media` are the routes. Paths are those of
DiSSCo's earlier backend where it has them.
"""
