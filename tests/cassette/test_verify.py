from support.tapes import JSON, request
from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.miss import Miss
from wiretape.cassette.shape import Answered
from wiretape.cassette.verify import DRIFT_MAX, Verifier

OLD, NEW = "thread_recorded0000000000001", "thread_live00000000000000002"


def made(body: bytes) -> Interaction:
    return Interaction(
        index=3, method="POST", target="/v1/threads", status=200, headers=JSON, body=body, how=Ended.COMPLETE
    )


def test_a_live_id_is_asked_for_as_the_recorded_one_once_the_answer_with_it_was_compared() -> None:
    verifier = Verifier()
    asked = request("POST", f"/v1/threads/{NEW}/runs?t={NEW}")
    assert verifier.translated(asked, b"") == (asked, b"")
    verifier.compare(made(b'{"id": "%b"}' % OLD.encode()), Answered(200, JSON, b'{"id": "%b"}' % NEW.encode()))
    translated, body = verifier.translated(asked, b'\xff{"thread": "%b"}' % NEW.encode())
    assert translated.target == f"/v1/threads/{OLD}/runs?t={OLD}"
    assert body == b'\xff{"thread": "%b"}' % OLD.encode()
    assert (verifier.drifted, verifier.drift) == (0, ())


def test_a_string_that_is_no_id_or_that_is_known_binds_nothing() -> None:
    verifier, asked = Verifier(), request("GET", f"/v1/threads/{NEW}")
    verifier.compare(made(b'{"id": "word"}'), Answered(200, JSON, b'{"id": "%b"}' % NEW.encode()))
    verifier.compare(made(b'{"id": "%b"}' % OLD.encode()), Answered(200, JSON, b'{"id": "word"}'))
    assert verifier.translated(asked, b"") == (asked, b"")
    for old in (OLD, OLD.replace("1", "9")):
        verifier.compare(made(b'{"id": "%b"}' % old.encode()), Answered(200, JSON, b'{"id": "%b"}' % NEW.encode()))
    assert verifier.translated(asked, b"")[0].target == f"/v1/threads/{OLD}"


def test_differences_are_told_with_the_request_and_counted_beyond_the_bound() -> None:
    verifier = Verifier()
    verifier.missed(Miss(message="No recorded answer.", nearest=(), times_recorded=0, unplayed=()))
    for _ in range(DRIFT_MAX + 1):
        verifier.compare(made(b'{"a": 1}'), Answered(200, JSON, b'{"a": "1"}'))
    assert verifier.drift[:2] == ("No recorded answer.", "#3 POST /v1/threads: $.a: recorded number, live string")
    assert (len(verifier.drift), verifier.drifted) == (DRIFT_MAX, DRIFT_MAX + 2)
