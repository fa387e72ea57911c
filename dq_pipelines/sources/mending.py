"""A line whose quotes are unbalanced, read with as few repairs as will do, where exactly one reading is the best."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dq_pipelines.sources.grammar import Grammar, Shape

#: Mending tries every pair of delimiters in a line: past this many the line is unreadable.
MOST_DELIMITERS = 400


def with_bare_quotes(line: str, grammar: Grammar, shape: Shape) -> list[str] | None:
    """What `mend` gives for the commonest fault, quotes within words of fields that are not quoted, sooner."""
    fields: list[str] = []
    bare: list[str] = []
    at = 0
    while at <= len(line):
        match = grammar.loose_field.match(line, at)
        if match is None:
            return None
        quoted = match[1]
        fields.append(match[2] if quoted is None else grammar.meaning(quoted))
        bare.append(match[2] or "")
        at = match.end() + (0 if match[3] else 1)
    if any(grammar.quote in one and torn(bare, place, grammar.quote) for place, one in enumerate(bare)):
        return None
    return shape.fitted(fields)


def mend(line: str, grammar: Grammar, most: int) -> list[str] | str:
    """The one reading of `line` that has the fewest repairs, or a sentence saying why there is none."""
    starts = [0] + [mark.end() for mark in re.finditer(re.escape(grammar.delimiter), line)]
    if len(starts) > MOST_DELIMITERS:
        return f"its quotes are unbalanced and it has {len(starts)} delimiters, too many to mend"
    ends = [start - len(grammar.delimiter) for start in starts[1:]] + [len(line)]
    # best[k][i]: cheapest way to read fields k.. from start i on: repairs, number of such ways, next start, value
    count, parts = len(starts), line.split(grammar.delimiter)
    best: list[dict[int, tuple[int, int, int, str]]] = [{} for _ in range(most + 1)]
    best[0][count] = (0, 1, count, "")
    choices = [list(_choices(line, starts[i], i, ends, parts, grammar)) for i in range(count)]
    for left in range(1, most + 1):
        for i in range(count):
            for after, repairs, value in choices[i]:
                rest = best[left - 1].get(after)
                if rest is None:
                    continue
                cost, cheapest = repairs + rest[0], best[left].get(i)
                if cheapest is None or cost < cheapest[0]:
                    best[left][i] = (cost, rest[1], after, value)
                elif cost == cheapest[0]:
                    best[left][i] = (cost, cheapest[1] + rest[1], cheapest[2], cheapest[3])
    whole = best[most].get(0)
    if whole is None:
        return f"its quotes are unbalanced: no reading of it has {most} fields"
    if whole[1] > 1:
        return f"its quotes are unbalanced: {whole[1]} readings of it have {most} fields"
    fields, at = [], 0
    for left in range(most, 0, -1):
        _, _, after, value = best[left][at]
        fields.append(value)
        at = after
    return fields


def torn(parts: list[str], place: int, quote: str) -> bool:
    """Whether a quote opens within this part and closes at the end of a later one: `8 Wt."Crisp, light",`.

    Such a field lost the delimiter before its quote, and what it holds is one field less than it seems.
    """
    part = parts[place]
    if part.count(quote) % 2 == 0 or not re.search(rf"{re.escape(quote)}\w", part):
        return False
    later = next((other for other in parts[place + 1 :] if quote in other), "")
    return later.endswith(quote) and not later.startswith(quote) and later.count(quote) % 2 == 1


def _choices(
    line: str, start: int, i: int, ends: list[int], parts: list[str], grammar: Grammar
) -> Iterator[tuple[int, int, str]]:
    """Every way to read a field at `start`: index of the next start, repairs, value."""
    quote = grammar.quote
    plain = line[start : ends[i]]
    quotes = plain.count(quote)
    opens = plain.lstrip(" ").startswith(quote)
    # No quote, quotes within words (5" pipe), or one that opens nothing.
    if quotes == 1 if opens else not torn(parts, i, quote):
        yield i + 1, 1 if quotes else 0, plain
    padded = len(line) - len(line[start:].lstrip(" ")) - start
    opening = start + padded
    if not line.startswith(quote, opening):
        return
    for j in range(i, len(ends)):
        inside = line[opening : ends[j]].rstrip(" ")
        if len(inside) < 2 or not inside.endswith(quote):
            continue
        inner = inside[1:-1]
        loose = re.sub(re.escape(grammar.escape) + ".", "", inner) if grammar.escaped else inner
        stray = loose.replace(quote * 2, "").count(quote)
        repairs = stray + (1 if padded else 0) + (1 if opening + len(inside) != ends[j] else 0)
        yield j + 1, repairs, grammar.meaning(inner)
