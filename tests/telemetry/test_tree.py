from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from wiretape.telemetry.tree import tree


def a_span(
    name: str, span_id: int, start_ms: int, end_ms: int, parent_id: int | None = None, **attributes: str
) -> ReadableSpan:
    return ReadableSpan(
        name,
        SpanContext(1, span_id, is_remote=False),
        None if parent_id is None else SpanContext(1, parent_id, is_remote=False),
        attributes={key.replace("_", "."): value for key, value in attributes.items()},
        kind=SpanKind.INTERNAL,
        start_time=start_ms * 1_000_000,
        end_time=end_ms * 1_000_000,
    )


def test_no_spans_are_an_empty_text() -> None:
    assert tree([]) == ""


def test_siblings_stand_in_order_of_start_then_end_then_name() -> None:
    spans = [a_span("c", 4, 2, 3, 1), a_span("b", 3, 1, 3, 1), a_span("a", 2, 1, 3, 1), a_span("root", 1, 0, 9)]
    assert tree(spans).splitlines() == [
        "INTERNAL root  9.0 ms",
        "├ INTERNAL a  2.0 ms",
        "├ INTERNAL b  2.0 ms",
        "└ INTERNAL c  1.0 ms",
    ]


def test_rails_lead_past_an_elder_childs_children() -> None:
    spans = [a_span("root", 1, 0, 9), a_span("a", 2, 1, 3, 1), a_span("b", 3, 1, 2, 2), a_span("c", 4, 5, 6, 1)]
    assert tree(spans).splitlines()[1:] == ["├ INTERNAL a  2.0 ms", "│ └ INTERNAL b  1.0 ms", "└ INTERNAL c  1.0 ms"]


def test_a_span_of_an_absent_parent_is_a_root() -> None:
    assert tree([a_span("lost", 2, 0, 1500, 99)]) == "INTERNAL lost  1.50 s"


def test_an_error_is_marked() -> None:
    assert tree([a_span("bad", 1, 0, 1, error_type="server_error")]) == "INTERNAL bad  1.0 ms  ✗ server_error"
