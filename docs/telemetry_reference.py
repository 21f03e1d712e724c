"""Render docs/reference/telemetry.md: every name that leaves in telemetry, from the code's tables, with its meaning.

A name of the vocabulary that telemetry_names.py does not tell of stops `make docs`, and the page is held against what a
proxy sends by tests/telemetry/test_reference.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import to_builtins
from telemetry_names import FIELDS, HEAD, LINES, MEANINGS, REASONS, RESOURCE, SIGNALS, SPANS

from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.generations import LATEST

ALL = (*v.INSTRUMENTS, *(one for one in LATEST.instruments if one not in v.INSTRUMENTS))
"""Of both generations of the GenAI names."""
ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
INTRO = """\
# Reference of telemetry

Written by `make docs` from the code; `make check` fails when it is stale. Do not edit. How the names hang together is
told in [Telemetry and ledger](../telemetry.md). `wiretape.` marks our own names, the others are OpenTelemetry's
semantic conventions, or OpenInference's.
"""


def page() -> str:
    """Render the page; exits where a name has no meaning or no place."""
    _check()
    return "\n".join([INTRO, *spans(), *metrics(), *values(), *lines(), *resource()]).rstrip() + "\n"


def spans() -> Iterator[str]:
    """Render every span with its attributes, and those that a profile adds."""
    yield "## Spans\n"
    yield "An attribute that is not known is left out. The last column is empty where both profiles have it.\n"
    for span in SPANS:
        yield f"### `{span.title}`\n\n{span.told}\n\n| attribute | meaning | only |\n| --- | --- | --- |"
        yield from (row(name, MEANINGS[name], "") for name in span.attributes)
        yield from (row(name, MEANINGS[name], "link") for name in span.links)
        yield from (row(name, MEANINGS[name], "`openinference`") for name in span.openinference)
        yield ""


def metrics() -> Iterator[str]:
    """Render every instrument, its buckets, and the attributes of metrics."""
    yield "## Metrics\n\nIn Prometheus' text dots are underscores, and units and `_total` are appended.\n"
    yield "| name | kind | unit | attributes | meaning |\n| --- | --- | --- | --- | --- |"
    for one in ALL:
        yield row(one.name, str(one.kind).removesuffix("_read"), one.unit, _ticked(one.attributes), one.help)
    yield "\nThe names with `inference` come with `gen_ai_latest_experimental`, in place of the"
    yield "two per chunk and `gen_ai.client.token.usage`."
    yield "\n### Buckets\n\n| metric | upper bounds |\n| --- | --- |"
    for one in ALL:
        if one.buckets:
            yield row(one.name, " ".join(map(str, one.buckets)))
    yield "\n### Attributes of metrics\n\n| attribute | meaning |\n| --- | --- |"
    yield from (row(name, MEANINGS[name]) for name in dict.fromkeys(_of_metrics()))
    yield ""


def values() -> Iterator[str]:
    """Render what `wiretape.reason` and `wiretape.signal` can be."""
    for metric, reasons in REASONS.items():
        yield f"### `{v.REASON}` of `{metric}`\n\n| value | meaning |\n| --- | --- |"
        yield from (row(str(value), told) for value, told in reasons.items())
        yield ""
    yield f"### `{v.SIGNAL}` of `{v.DROPPED.name}`\n\n| value | what is counted |\n| --- | --- |"
    yield from (row(value, told) for value, told in SIGNALS.items())
    yield "\nA sink that a program brings along is counted by its own name.\n"


def lines() -> Iterator[str]:
    """Render every event of the log."""
    yield "## Log lines\n\nOne JSON object a line; a field that is not known is left out.\n"
    for line in LINES:
        yield f"### `{line.name}`\n\n{line.told}\n\n| field | meaning |\n| --- | --- |"
        yield from (row(name, FIELDS[name]) for name in (*HEAD, *line.fields))
        yield ""


def resource() -> Iterator[str]:
    """Render the resource's attributes."""
    yield "## Resource\n\nWhat `OTEL_RESOURCE_ATTRIBUTES` names comes to these.\n"
    yield "| attribute | meaning |\n| --- | --- |"
    yield from (row(name, told) for name, told in RESOURCE.items())


def row(name: str, *cells: str) -> str:
    """Render a row whose first cell is a name."""
    return f"| `{name}` | {' | '.join(cells)} |"


def _words(within: Any) -> Iterator[str]:  # noqa: ANN401  tables, down to their texts
    if isinstance(within, str):
        yield within
    elif isinstance(within, dict | list | tuple):
        for one in [*within, *(within.values() if isinstance(within, dict) else ())]:
            yield from _words(one)


def _of_metrics() -> Iterator[str]:
    return (name for one in ALL for name in one.attributes)


def _ticked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _check() -> None:
    """Exit with all names that are not told of, or told of and not there."""
    placed = {name for span in SPANS for name in (*span.attributes, *span.links, *span.openinference)}
    placed |= {*_of_metrics()}
    constants = [value for name, value in vars(v).items() if name.isupper() and isinstance(value, str)]
    known = set(filter(ATTRIBUTE.fullmatch, (*constants, *_words(to_builtins(v.PROFILES)))))
    told = {name for line in LINES for name in (*HEAD, *line.fields)}
    problems = (
        *(f"no meaning in MEANINGS: {name}" for name in sorted((placed | known) - MEANINGS.keys())),
        *(f"a meaning, but on no span (SPANS) and no metric: {name}" for name in sorted(MEANINGS.keys() - placed)),
        *(f"no meaning in FIELDS: {name}" for name in sorted(told - FIELDS.keys())),
        *(f"a meaning, but in no line (LINES): {name}" for name in sorted(FIELDS.keys() - told)),
    )
    if problems:
        sys.exit("docs/telemetry_names.py:\n" + "\n".join(problems))
