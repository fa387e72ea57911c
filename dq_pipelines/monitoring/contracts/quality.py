"""Converts a contract's `quality` entries to rules: library metrics, SQL, and Great Expectations' checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.errors import ConfigError, nearest
from dq_pipelines.monitoring.contracts.limits import Limits, limits_of
from dq_pipelines.monitoring.contracts.metrics import Untranslatable, rules_of
from dq_pipelines.monitoring.contracts.part import Part
from dq_pipelines.rules import rule_classes, rule_from

Rule = dict[str, Any]

_TYPES = ("library", "sql", "text", "custom")
_SEVERITIES = {
    "critical": "critical", "error": "critical", "fatal": "critical", "blocker": "critical", "high": "critical",
    "warning": "warning", "warn": "warning", "medium": "warning", "info": "info", "low": "info", "minor": "info",
}  # fmt: skip
_META = ("id", "name", "dimension", "businessImpact", "method", "tags")
_GX = re.compile(r"(great[-_ ]?expectations?|gx)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$?\{\s*(table|object|model|schema|column|property|field)\s*\}", re.IGNORECASE)
_WHY = {
    "schedule": "a table's rules are judged with every batch; a run is planned by the table's `schedule`",
    "scheduler": "a table's rules are judged with every batch; a run is planned by the table's `schedule`",
}


@dataclass(frozen=True)
class About:
    """The subject of a check."""

    #: the property, or None for the whole object
    column: str | None
    #: names of the object in queries
    tables: frozenset[str] = frozenset()
    #: SQL dialect of the queries; None where it is unknown
    dialect: str | None = None


def rules_from_quality(parent: Part, about: About) -> Iterator[Rule]:
    """Yields the rules of a property or of the whole object; notes entries that no rule can express."""
    column = about.column
    for part in parent.parts("quality", "quality"):
        type_ = part.text("type") or ("library" if "metric" in part or "rule" in part else "text")
        before = len(part.contract.problems)
        try:
            rules = _rules(part, type_, about)
        except Untranslatable as error:
            if len(part.contract.problems) == before:
                part.note("", str(error), _called(part, type_, column))
            continue
        for rule in rules:
            yield {**rule, **_policy(part)}
        part.close(_WHY)


def _called(part: Part, type_: str, column: str | None) -> str:
    """Describes the entry in a few words."""
    name = next((str(part.value[key]) for key in ("name", "id", "metric", "rule", "engine") if key in part), None)
    described = part.value.get("description")
    words = f"quality ({type_}{f', {name}' if name else ''})"
    place = f"{column}, " if column else ""
    return f"{place}{words}{f': {described}' if described else ''}"


def _rules(part: Part, type_: str, about: About) -> list[Rule]:
    if type_ not in _TYPES:
        part.wrong("type", f"unknown quality type '{type_}'{nearest(type_, _TYPES)}")
        raise Untranslatable
    if type_ == "text":
        raise Untranslatable("it is a text for people, which no rule can check")
    if type_ == "custom":
        return [_custom(part, about.column)]
    limits = limits_of(part)
    if limits is None:
        raise Untranslatable("it has no mustBe… to compare the number with")
    if type_ == "library":
        return rules_of(part, about.column, limits)
    return [_sql(part, limits, about)]


def _policy(part: Part) -> Rule:
    """Returns severity, description and metadata of a check."""
    policy: Rule = {}
    severity = part.text("severity")
    if severity is not None and severity.lower() in _SEVERITIES:
        wanted = _SEVERITIES[severity.lower()]
        policy |= {} if wanted == "critical" else {"severity": wanted}
    elif severity is not None:
        part.note("severity", f"'{severity}' is none of critical, warning and info: critical was taken")
    if described := part.text("description"):
        policy["description"] = described
    if meta := {key: part.take(key) for key in _META if key in part and part.value[key] != []}:
        policy["meta"] = {"odcs": meta}
    return policy


def _sql(part: Part, limits: Limits, about: About) -> Rule:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    sql = _PLACEHOLDER.sub(lambda match: _named(match[1], about.column), part.text("query") or "")
    try:
        tree = sqlglot.parse_one(sql, read=about.dialect)
    except SqlglotError as error:
        raise Untranslatable(f"the query does not parse: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, exp.Select) or len(tree.selects) != 1:
        raise Untranslatable("wanted a SELECT of one expression, which gives one number")
    for table in tree.find_all(exp.Table):
        if table.name in about.tables:
            table.replace(exp.to_table("_batch", alias=table.alias_or_name))
    tree.set("expressions", [exp.alias_(tree.selects[0].unalias(), "found")])
    query = f"SELECT found FROM ({tree.sql(dialect='postgres')}) AS q WHERE NOT ({limits.sql})"  # noqa: S608 - the author's own query
    return _sound(
        {"type": "expect_query_to_return_no_rows", "unexpected_rows_query": query.replace("_batch", "{batch}")}
    )


def _named(word: str, column: str | None) -> str:
    if word.lower() in ("column", "property", "field"):
        if column is None:
            raise Untranslatable(f"the query names {{{word}}}, and this check has no property")
        return identifier(column)
    return "_batch"


def _custom(part: Part, column: str | None) -> Rule:
    engine, written = part.text("engine") or "", part.take("implementation")
    if not _GX.fullmatch(engine):
        raise Untranslatable(f"it is written for {engine or 'an engine without a name'}, whose checks are not run here")
    if isinstance(written, str):
        try:
            written = yaml.safe_load(written)
        except yaml.YAMLError:
            raise Untranslatable("its implementation is neither YAML nor JSON") from None
    if not isinstance(written, Mapping):
        raise Untranslatable("its implementation is no expectation (type, kwargs)")
    kwargs = written.get("kwargs") or {}
    type_ = written.get("type") or written.get("expectation_type")
    rule_class = rule_classes().get(str(type_))
    if rule_class is None:
        raise Untranslatable(f"'{type_}' is no rule here{nearest(str(type_), rule_classes())}")
    # The standard's own example writes GX's arguments in camel case.
    given = {_snake(key) if key not in rule_class.model_fields else key: value for key, value in dict(kwargs).items()}
    if column is not None and "column" in rule_class.model_fields and "column" not in given:
        given["column"] = column
    return _sound({"type": type_, **given})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match[1].lower(), str(name))


def _sound(rule: Rule) -> Rule:
    try:
        rule_from(rule)
    except ConfigError as error:
        raise Untranslatable(str(error).replace("\n", "; ").replace("_batch", "{batch}")) from None
    return rule
