"""Mapping files as plain data: YAML with the line of every value, files that extend others, rules laid over rules.

What the data mean and whether they are right is `mapping`.
"""

from pathlib import Path
from typing import Any

import yaml

from dissco_platform.errors import MappingError
from dissco_platform.opends.terms import model

Place = tuple[str | int, ...]


def with_bases(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, dict[str, dict[str, Any]]], dict[Place, str]]:
    """Return a file laid over the file that it `extends`, if it names one (beside it)."""
    own, lines = _read(path)
    extended = own.pop("extends", None)
    if extended is None:
        return own, lines
    base = path.parent / str(extended)
    if base in (path, *seen):
        raise MappingError(f"{lines[('extends',)]}: {path.name} extends itself")
    resolved, base_lines = with_bases(base, (*seen, path))
    lay_over(resolved, own)
    return resolved, {**base_lines, **lines}


def lay_over(resolved: dict[str, dict[str, dict[str, Any]]], own: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Lay rules over others, key by key; an empty rule (`dwc:sex:`) takes the term out of the mapping.

    A column or list of columns is short for `from`: transform and vocabulary of the rule below stay.
    """
    for owner, tables in own.items():
        for table, rules in tables.items():
            target = resolved.setdefault(owner, {}).setdefault(table, {})
            for term, rule in rules.items():
                if rule is None:
                    target.pop(term, None)
                elif term in target and not _is_list_rule(owner, term):
                    standing = target[term]
                    keyed = rule if isinstance(rule, dict) else {"from": rule}
                    target[term] = {**(standing if isinstance(standing, dict) else {"from": standing}), **keyed}
                else:
                    target[term] = rule


def _is_list_rule(owner: str, term: str) -> bool:
    terms = model().classes.get(owner, {})
    return term in terms and terms[term].nested


def _read(path: Path) -> tuple[dict[str, dict[str, dict[str, Any]]], dict[Place, str]]:
    """Return a YAML file as plain data, with the place (file, line) of every value."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise MappingError(f"mapping {path} does not exist") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise MappingError(f"{path}{line}: this is not YAML: {getattr(error, 'problem', None) or error}") from None
    lines: dict[Place, str] = {}
    if node is None:
        return {}, lines
    data = _plain(node, (), path, lines)
    if not isinstance(data, dict):
        raise MappingError(f"{path}: a mapping is a table of classes, e.g. 'ods:DigitalSpecimen:'")
    for owner, tables in data.items():
        if owner == "extends":
            continue
        for table, rules in (tables or {}).items() if isinstance(tables, dict) else [("", None)]:
            if not isinstance(rules, dict):
                at = lines.get((owner, table)) or lines[(owner,)]
                raise MappingError(f"{at}: {owner} needs tables with terms below them, e.g. 'records:'")
    return data, lines


def _plain(node: yaml.Node, place: Place, path: Path, lines: dict[Place, str]) -> Any:
    lines[place] = f"{path}, line {node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        table: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in table:
                raise MappingError(f"{path}, line {key_node.start_mark.line + 1}: {key!r} is given twice")
            table[key] = _plain(value_node, (*place, key), path, lines)
            lines[(*place, key)] = f"{path}, line {key_node.start_mark.line + 1}"
        return table
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, at), path, lines) for at, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value  # dates in mappings are text
    return yaml.constructor.SafeConstructor().construct_object(node)
