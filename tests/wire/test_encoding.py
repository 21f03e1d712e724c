from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.errors import BodyTooLarge, DecodeFailed
from wiretape.wire.encoding import Inflater, known

BODY = b'{"id": "run_1", "object": "thread.run"}' * 40


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "GZIP ": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "Deflate": raw_deflate(BODY),
    "identity": BODY,
    "": BODY,
}


def inflated(coding: str, pieces: list[bytes], bytes_max: int = 1 << 20) -> bytes:
    inflater = Inflater(coding, bytes_max)
    return b"".join(inflater.feed(piece) for piece in pieces) + inflater.finish()


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("coding", PACKED)
def test_a_body_is_the_same_whole_and_byte_by_byte(coding: str) -> None:
    assert inflated(coding, [PACKED[coding]]) == BODY
    assert inflated(coding, one_by_one(PACKED[coding])) == BODY


@pytest.mark.parametrize("coding", PACKED)
def test_the_bound_is_on_decoded_bytes(coding: str) -> None:
    assert inflated(coding, [PACKED[coding]], len(BODY)) == BODY
    with pytest.raises(BodyTooLarge, match=str(len(BODY) - 1)):
        inflated(coding, [PACKED[coding]], len(BODY) - 1)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_empty_body_is_whole(coding: str) -> None:
    assert inflated(coding, []) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "Deflate"])
@pytest.mark.parametrize("keep", [1, 2, 11, -1])
def test_a_body_cut_short_is_refused(coding: str, keep: int) -> None:
    with pytest.raises(DecodeFailed):
        inflated(coding, [PACKED[coding][:keep]])


def test_a_damaged_body_is_refused() -> None:
    with pytest.raises(DecodeFailed, match="damaged"):
        inflated("gzip", [b"no gzip at all"])


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_an_unknown_coding_is_refused_by_name(coding: str) -> None:
    assert not known(coding)
    with pytest.raises(DecodeFailed, match=coding):
        Inflater(coding, 1)


@pytest.mark.parametrize("coding", PACKED)
def test_what_can_be_undone_is_known(coding: str) -> None:
    assert known(coding)


@given(st.lists(st.integers(1, 60), max_size=5))
def test_gzip_members_in_a_row_are_one_body(cuts: list[int]) -> None:
    packed, pieces = gzip.compress(b"one, ") + gzip.compress(b"two"), []
    for cut in cuts:
        pieces.append(packed[:cut])
        packed = packed[cut:]
    assert inflated("gzip", [*pieces, packed]) == b"one, two"


def test_bytes_after_the_last_member_are_padding_and_not_held() -> None:
    inflater = Inflater("gzip", 100)
    assert inflater.feed(gzip.compress(b"x") + b"\0\0") == b"x"
    assert inflater.feed(b"\0" * 1000) == b""
    assert inflater.finish() == b""


def test_a_bomb_is_stopped_before_it_exists() -> None:
    bomb = gzip.compress(b"\0" * (8 << 20))
    with pytest.raises(BodyTooLarge):
        inflated("gzip", [bomb], 1 << 16)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_no_bytes_raise_anything_else(data: bytes, coding: str) -> None:
    try:
        inflated(coding, [data], 1 << 10)
    except (DecodeFailed, BodyTooLarge):
        return
