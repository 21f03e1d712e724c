"""A request that is made again asks the same, whatever is remembered of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette import asking
from wiretape.cassette.asking import HEADS_MAX, Asking
from wiretape.cassette.rules import Rules
from wiretape.cassette.secrets import Secrets
from wiretape.exchange import Request

KEYS = [b"sk-%d-abcdefgh12345678" % number for number in range(4)]


def asked_by(key: bytes, target: str = "/v1/threads/thread_abc123") -> Request:
    return Request("GET", target, ((b"Authorization", b"Bearer " + key), (b"Cookie", b"theme=dark12345")), 0, 0)


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(["/v1/runs", "/v1/runs?api_key=abcdef123456", *(f"/v1/{key.decode()}" for key in KEYS)]),
        st.sampled_from([b"", b'{"quotes":"%b"}' % KEYS[0], b'{"token":"abcdef1234567890"}']),
    ),
    max_size=30,
)


@given(REQUESTS)
def test_what_is_remembered_is_what_would_be_worked_out(made: list[tuple[bytes, str, bytes]]) -> None:
    remembering, forgetting = Asking(Rules(), Secrets(secrets_max=3)), Secrets(secrets_max=3)
    for key, target, body in made:
        request = asked_by(key, target)
        anew = Asking(Rules(), forgetting)
        assert remembering.asked(request, body)[1] == anew.asked(request, body)[1]


def test_a_request_made_again_is_not_worked_out_again() -> None:
    asks = Asking(Rules(), Secrets())
    first = asks.asked(asked_by(KEYS[0]), b"")
    assert asks.asked(asked_by(KEYS[0]), b"")[0] is first[0]
    assert asks.asked(asked_by(KEYS[0], "/v1/threads/thread_def456"), b"")[0] is not first[0]


def test_a_secret_learned_since_is_looked_for() -> None:
    asks = Asking(Rules(), Secrets())
    quoting = Request("GET", "/v1/files/zyxw98765432", (), 0, 0)
    assert "zyxw98765432" in asks.asked(quoting, b"")[0].target
    asks.asked(asked_by(b"zyxw98765432"), b"")
    assert "zyxw98765432" not in asks.asked(quoting, b"")[0].target


def test_a_key_that_polls_is_not_forgotten_before_others() -> None:
    secrets = Secrets(secrets_max=2)
    asks = Asking(Rules(), secrets)
    for key in (KEYS[0], KEYS[1], KEYS[0], KEYS[2]):
        asks.asked(asked_by(key), b"")
    assert [one.value for one in secrets.lasting.known] == [KEYS[0], KEYS[2]]


def test_the_last_requests_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asks, worked_out = Asking(Rules(), Secrets()), list[str]()
    monkeypatch.setattr(asking, "redactor_for", _spied(worked_out))
    for number in (*range(HEADS_MAX + 1), *range(HEADS_MAX, -1, -1)):
        asks.asked(Request("GET", f"/v1/{number}", (), 0, 0), b"")
    assert worked_out == [*(f"/v1/{number}" for number in range(HEADS_MAX + 1)), "/v1/0"]


def _spied(seen: list[str]) -> object:
    genuine = asking.redactor_for

    def spy(request: Request, secrets: Secrets) -> object:
        seen.append(request.target)
        return genuine(request, secrets)

    return spy
