"""What becomes of a report on its way to the sinks: text is redacted, everything else stays, and nothing is raised."""

from __future__ import annotations

import base64
import json

import pytest
from msgspec.structs import replace

from support.reports import MS, a_correction, a_run, an_exchange
from support.streams import Desk, event, run, sketch
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.exchange import Headers, Request, Trace
from wiretape.runs.report import Correction, ExchangeReport, RunReport
from wiretape.runs.snapshot import Snapshot, decode, encode
from wiretape.telemetry.fanout import Fanout
from wiretape.telemetry.redaction import Redacted

KEY = b"Opaque-Value-0123456"


class Collected(Fanout):
    """A fanout that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[ExchangeReport | RunReport | Correction] = []
        self.exchange = self.run = self.correction = self.given.append  # type: ignore[method-assign]


@pytest.fixture
def collected() -> Collected:
    return Collected()


def asked(headers: Headers, target: str = "/v1/x") -> Request:
    return Request("POST", target, headers, 0, 0)


def bearer(key: bytes) -> Headers:
    return ((b"Authorization", b"Bearer " + key),)


PLACES: dict[str, Request] = {
    "bearer": asked(bearer(KEY)),
    "bearer after a tab": asked(((b"authorization", b"Bearer\t" + KEY),)),
    "basic user": asked(((b"Authorization", b"Basic " + base64.b64encode(KEY + b":")),)),
    "x-goog-api-key": asked(((b"x-goog-api-key", KEY),)),
    "subscription key": asked(((b"Ocp-Apim-Subscription-Key", KEY),)),
    "cookie": asked(((b"Cookie", b"a=b; s=" + KEY),)),
    "query": asked((), f"/v1/x?api_key={KEY.decode()}"),
}


@pytest.mark.parametrize("request_", PLACES.values(), ids=PLACES.keys())
def test_a_key_from_any_place_of_a_head_stands_in_no_report(request_: Request, collected: Collected) -> None:
    reports = Redacted(collected)
    reports.learn(request_)
    key = KEY.decode()
    reports.exchange(an_exchange(upstream_request_id=key, run_key=("default", f"run_{key}"), session=key))
    reports.run(a_run(run_id=key, model=f"x{key}y", error=key))
    reports.correction(a_correction(run_id=key, error=key))
    assert len(collected.given) == 3
    assert key not in str(collected.given)


WORDS = [
    "start_ns",
    "status",
    "complete",
    "thread_id",
    "trace_id",
    "1750000000000000000",
    "{thread_id}/runs",
    "forward-mode-1",
]


@pytest.mark.parametrize("word", WORDS)
def test_fields_enumerations_numbers_and_our_own_words_survive_any_key(word: str, collected: Collected) -> None:
    reports = Redacted(collected)
    reports.learn(asked((*bearer(word.encode()), (b"Cookie", f"a={word}".encode()))))
    given = [an_exchange(mode=word), a_run(mode=word, outcome=word)]
    reports.exchange(an_exchange(mode=word))
    reports.run(a_run(mode=word, outcome=word))
    assert collected.given == given


def test_a_report_without_a_key_is_passed_on_as_it_is(collected: Collected) -> None:
    report = an_exchange()
    Redacted(collected).exchange(report)
    assert collected.given[0] is report


def test_a_text_that_is_no_unicode_is_passed_on(collected: Collected) -> None:
    report = an_exchange(session="\udcff\udcfe")
    Redacted(collected).exchange(report)
    assert collected.given == [report]


def test_a_report_that_cannot_be_redacted_is_dropped_and_counted(
    collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError

    monkeypatch.setattr("wiretape.telemetry.redaction.suspects", fail)
    reports = Redacted(collected)
    reports.exchange(an_exchange())
    reports.run(a_run())
    reports.correction(a_correction())
    assert (reports.dropped, collected.given) == (3, [])


def test_a_key_that_was_pushed_out_is_learned_again(collected: Collected) -> None:
    reports = Redacted(collected, secrets_max=4)
    for number in range(6):
        reports.learn(asked(bearer(KEY)))
        reports.learn(asked(((b"Cookie", b"; ".join(b"c%d=cookievalue-%d-%d" % (j, number, j) for j in range(8))),)))
        reports.exchange(an_exchange(upstream_request_id=KEY.decode()))
    assert KEY.decode() not in str(collected.given)


def test_nothing_but_text_is_changed_by_redaction(collected: Collected) -> None:
    reports = Redacted(collected)
    reports.learn(asked(bearer(KEY)))
    report = a_run(error=KEY.decode(), gaps=sketch(MS, 2 * MS))
    reports.run(report)
    assert collected.given == [replace(report, error="{{secret:bearer#1}}")]


def test_rules_of_the_user_hold_for_reports_too(collected: Collected) -> None:
    reports = Redacted(collected, RedactOptions(headers=("x-customer",), patterns=(r"ACC\d{4}",)))
    reports.learn(asked(((b"X-Customer", b"acme-corp-0001"),)))
    reports.run(a_run(assistant_name="for acme-corp-0001 and ACC1234"))
    (told,) = collected.given
    assert isinstance(told, RunReport)
    assert told.assistant_name == "for {{secret:header#1}} and {{secret:pattern#1}}"


def a_snapshot(run_id: str = "run_1") -> Snapshot:
    """Of a run whose model, step, tool and error somebody named after the key."""
    key, desk = KEY.decode(), Desk()
    step = {"id": f"step_{key}", "run_id": run_id, "type": "tool_calls", "status": "in_progress", "created_at": 1}
    call = {"id": f"call_{key}", "type": "function", "function": {"name": f"tool_{key}", "arguments": ""}}
    told = [
        event("thread.run.created", run(run_id=run_id, model=f"gpt-{key}")),
        event("thread.run.step.created", json.dumps(step | {"step_details": {"tool_calls": [call]}}).encode()),
        event("error", json.dumps({"code": key}).encode()),
    ]
    desk.start(told)
    (snapshot,) = desk.runs.all_open()
    return snapshot


def test_a_run_that_goes_on_is_saved_without_a_key_wherever_one_stands(collected: Collected) -> None:
    reports, snapshot = Redacted(collected), a_snapshot()
    assert encode(snapshot).count(KEY) >= 5
    reports.learn(asked(bearer(KEY)))
    saved = reports.open_run(snapshot)
    assert saved is not None
    assert KEY not in saved
    clean = decode(saved)
    assert (clean.key, clean.origin.trace, clean.facts.last_seen_ns) == (
        snapshot.key, snapshot.origin.trace, snapshot.facts.last_seen_ns,
    )  # fmt: skip
    assert len(clean.facts.tools) == len(clean.facts.steps) == 1


def test_a_run_without_a_key_is_saved_as_it_is(collected: Collected) -> None:
    reports = Redacted(collected)
    reports.learn(asked(bearer(b"Another-Value-987654")))
    assert reports.open_run(a_snapshot()) == encode(a_snapshot())


def test_a_run_whose_id_is_a_key_cannot_be_found_again_and_is_not_saved(collected: Collected) -> None:
    reports = Redacted(collected)
    reports.learn(asked(bearer(KEY)))
    assert reports.open_run(a_snapshot(f"run_{KEY.decode()}")) is None


def test_a_run_that_cannot_be_encoded_is_not_saved(collected: Collected) -> None:
    assert Redacted(collected).open_run(replace(a_snapshot(), run_id="\ud800")) is None


@pytest.mark.parametrize("place", ["trace", "run_trace"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_key_in_what_a_caller_says_of_its_trace_is_replaced(
    place: str, is_nested: bool, collected: Collected
) -> None:
    reports = Redacted(collected)
    reports.learn(asked(bearer(KEY)))
    told = Trace(1, 2, 3, state=f"vendor={KEY.decode()}")
    reports.exchange(replace(an_exchange(), **{place: Trace(4, 5, 6, client=told) if is_nested else told}))
    assert len(collected.given) == 1
    assert KEY.decode() not in repr(collected.given)
    assert "vendor=" in repr(collected.given)
