from hypothesis import given
from hypothesis import strategies as st

from support.tapes import STREAM, request, taken
from wiretape.cassette import sample
from wiretape.cassette.sample import Sieve, is_taken

CREATED = taken(request("POST", "/v1/threads"), b'{"t":"thread_other1"}', chunks=[b'{"id":"thread_abc123"}'])
STREAMED = taken(request("POST", "/v1/threads/runs"), headers=STREAM, chunks=[b'data: {"id":"thread_abc123"}\n\n'])
READ = taken(request("GET", "/v1/threads/thread_abc123/runs"), chunks=[b'{"id":"thread_other2"}'])


def sifted(lines: list[bytes], target: str, share: float) -> list[bytes]:
    sieve = Sieve(target, share)
    return [line for at, one in enumerate(lines, 1) for line in sieve.sift([one], last=at == len(lines))]


@given(st.floats(0, 1))
def test_all_exchanges_of_a_thread_are_in_or_none(share: float) -> None:
    taken_all = is_taken(b"thread_abc123", share)
    for lines, target in (
        (CREATED, "/v1/threads"),
        (STREAMED, "/v1/threads/runs"),
        (READ, "/v1/threads/thread_abc123/runs"),
    ):
        assert sifted(lines, target, share) == (lines if taken_all else [])


def test_a_share_is_a_share() -> None:
    assert not is_taken(b"x", 0)
    assert is_taken(b"x", 1)
    found = sum(is_taken(b"thread_%d" % number, 0.3) for number in range(10_000))
    assert 2_800 < found < 3_200


def test_an_exchange_of_no_thread_is_decided_by_itself() -> None:
    found = 0
    for number in range(1000):
        lines = taken(request("GET", f"/v1/models/{number}"), chunks=[b"{}"])
        left = sifted(lines, "/v1/models", 0.5)
        assert left in ([], lines)
        found += bool(left)
    assert 400 < found < 600


def test_what_waits_for_a_thread_is_bounded(monkeypatch: object) -> None:
    sieve = Sieve("/v1/x", 1.0)
    line = b'{"k":"ev"' + b"x" * (sample.PENDING_BYTES_MAX // 2)
    assert sieve.sift([line], last=False) == []
    assert sieve.sift([line, line], last=False) == [line] * 3
    assert sieve.sift([b"more"], last=False) == [b"more"]
