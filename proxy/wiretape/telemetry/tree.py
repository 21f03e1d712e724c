"""Finished spans as an indented text tree, for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from wiretape.telemetry.vocabulary import ERROR_TYPE

_SECOND_NS: Final = 1_000_000_000

Children = dict[int | None, list[ReadableSpan]]


def tree(spans: Sequence[ReadableSpan]) -> str:
    """One line a span: rails, kind, name, length; siblings by start, then end, then name.

    A span whose parent is not among them is a root. The text does not depend on ids or on the order given.
    """
    ids = {span.context.span_id for span in spans}
    roots: list[ReadableSpan] = []
    children: Children = defaultdict(list)
    for span in sorted(spans, key=_order):
        parent_id = None if span.parent is None else span.parent.span_id
        (children[parent_id] if parent_id in ids else roots).append(span)
    return "\n".join(line for root in roots for line in _lines(root, children, "", ""))


def _order(span: ReadableSpan) -> tuple[int, int, str]:
    return span.start_time or 0, span.end_time or 0, span.name


def _lines(span: ReadableSpan, children: Children, rail: str, below: str) -> Iterator[str]:
    yield f"{rail}{span.kind.name} {span.name}  {_length(span)}{_mark(span)}"
    siblings = children.get(span.context.span_id, [])
    for child in siblings:
        corner, stem = ("└ ", "  ") if child is siblings[-1] else ("├ ", "│ ")
        yield from _lines(child, children, below + corner, below + stem)


def _length(span: ReadableSpan) -> str:
    length_ns = (span.end_time or 0) - (span.start_time or 0)
    return f"{length_ns / 1e9:.2f} s" if length_ns >= _SECOND_NS else f"{length_ns / 1e6:.1f} ms"


def _mark(span: ReadableSpan) -> str:
    error = (span.attributes or {}).get(ERROR_TYPE)
    return "" if error is None else f"  ✗ {error}"
