"""Reading what a collector received."""

from collections.abc import Iterator, Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span


def tree_of(spans: Sequence[Span], root: str) -> list[str]:
    """Draw the tree below the span of that name, children by their start, then those that end last first."""
    (top,) = (span for span in spans if span.name == root and not span.parent_span_id)
    return list(_lines(spans, top, ""))


def _lines(spans: Sequence[Span], span: Span, indent: str) -> Iterator[str]:
    yield f"{indent}{Span.SpanKind.Name(span.kind).removeprefix('SPAN_KIND_')} {span.name}"
    below = [one for one in spans if one.parent_span_id == span.span_id and one.trace_id == span.trace_id]
    for child in sorted(below, key=lambda one: (one.start_time_unix_nano, -one.end_time_unix_nano)):
        yield from _lines(spans, child, indent + "  ")
