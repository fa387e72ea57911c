"""Generates `docs/casts.md` from the table of casts, `transforms.cast_rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dq_pipelines.transforms.cast_entry import REFUSED, Example
from dq_pipelines.transforms.cast_rules import LANDED, WANTED, cast_entry, is_never_published
from dq_pipelines.transforms.options import EXACT, CastOptions

_ABOUT = """# Casts

Written by `dq docs` from the code; do not edit. The examples are run as tests.

A column under `silver.columns` has a type, and each landed value is cast to it. One rule holds for all casts: **a value is
published only if it means what landed**: casting it back gives the landed value. Any other value is refused. Its row
goes to quarantine with the reason `cast` and the value; the other rows continue. Nothing is rounded, truncated, moved to another
day or wrapped, unless the column asks for it:

| key of a column | for | effect |
|---|---|---|
| `format` | date, datetime, timestamp; string and integers from moments | the format of the text, in strftime codes |
| `round` | integers, decimals, float32 | `half_even` or `half_up` takes the nearest number, `down` the next one toward zero; float32 takes `half_even` only |
| `unit` | date, datetime, timestamp; integers from moments | the number counts seconds (`s`), `ms`, `us` or `ns` since 1970-01-01 00:00 UTC |
| `origin` | date, datetime, timestamp | the number is a workbook's day: `excel` (1900-01-01 is 1) or `excel_1904` (1904-01-01 is 0) |
| `trim` | string | removes blanks around a text |

```yaml
silver:
  columns:
    amount: {type: "decimal(12,2)", round: half_even}
    seen_at: {type: timestamp, unit: ms}
    booked_on: {type: date, origin: excel}
    day: {type: date, format: "%Y%m%d"}         # also of the integer 20240102
    name: {type: string, trim: true}
```

## Rules for all casts

- Blanks around a text are ignored, except in a `string` column.
- Bronze decides which type has landed. Moments have microseconds there, and those with a zone are in UTC. Times of day and
  durations are text. A moment with nanoseconds, or out of range, does not fit: its row is refused with `cast`.
- A moment without a zone is read as UTC for a `timestamp`; a `datetime` is the moment in UTC. No
  local zone or daylight saving time is guessed: give an offset in the text, or convert in a `sql` step.
- Years are 0001 to 9999, with four digits under `%Y`: `24` is not the year 24. `%y` takes two digits, 69 to 99 for 1969 to 1999.
- `dq check` refuses `%Z`, because zone names are ambiguous. `%z` reads offsets.
- Hour 24 and second 60 are refused, since no type holds them.
- A float is read as its shortest decimal text: 0.1 into `decimal(3,1)` is 0.1. Text into a float takes the nearest one, since few
  decimal numbers are exact floats. float64 into `float32` does not, unless `round: half_even` asks for it.
- With `unit` or `origin`, texts that are numbers are read as numbers, and others as ISO 8601: a workbook's column may hold both.
- A workbook's day numbers are read to the millisecond. Day 60 of `excel`, 1900-02-29, is refused: this date does not exist.
- Names of months and weekdays under `%b`, `%B`, `%a`, `%A` are English."""


def casts_page() -> str:
    """The page as Markdown: a section for each landed type, a row for each target type."""
    return "\n\n".join([_ABOUT, *(_section(kind) for kind in LANDED)]) + "\n"


def _section(kind: str) -> str:
    _, about = LANDED[kind]
    published = [wanted for wanted in WANTED if not is_never_published(kind, wanted)]
    never = [wanted for wanted in WANTED if is_never_published(kind, wanted)]
    lines = [
        f"## From {kind}",
        "",
        f"{about[0].upper()}{about[1:]}.",
        "",
        "| into | published | refused | asked for by |",
        "|---|---|---|---|",
    ]
    for wanted in published:
        cast = cast_entry(kind, wanted)
        lines.append(f"| `{wanted}` | {cast.publishes} | {cast.refuses} | {cast.asked} |")
    if never:
        lines += ["", f"Into {', '.join(f'`{wanted}`' for wanted in never)}: every value is refused."]
    examples = [_example(example) for wanted in published for example in cast_entry(kind, wanted).examples]
    return "\n".join([*lines, "", "| landed | wanted | published |", "|---|---|---|", *examples])


def _example(example: Example) -> str:
    asked = "".join(f", `{name}: {value}`" for name, value in _asked(example.options))
    published = "refused" if example.published is REFUSED else f"`{_shown(example.published)}`"
    return f"| `{_shown(example.landed)}` | `{example.wanted}`{asked} | {published} |"


def _asked(options: CastOptions) -> Iterator[tuple[str, str]]:
    for name in ("format", "round", "unit", "origin", "trim"):
        value = getattr(options, name)
        if value != getattr(EXACT, name):
            yield name, str(value).lower() if isinstance(value, bool) else value


def _shown(value: Any) -> str:
    return (repr(value) if isinstance(value, str | bytes | list | dict | float) else str(value)).replace("|", r"\|")
