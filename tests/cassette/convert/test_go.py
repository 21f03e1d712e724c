import gzip
from typing import Any

import pytest
import yaml

from support.tapes import only
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Interaction

SAMPLE = """---
version: 2
interactions:
    - id: 0
      request:
        proto: HTTP/1.1
        content_length: 29
        host: api.example.com
        body: '{"stream":true}'
        form: {a: [b]}
        headers:
            Content-Type:
                - application/json
        url: https://api.example.com/v1/threads/runs?a=b
        method: POST
      response:
        content_length: -1
        uncompressed: true
        body: '{"id":"run_abc123"}'
        headers:
            Content-Type:
                - application/json
        status: 200 OK
        code: 200
        duration: 1.612958419s
"""


def answer(headers: dict[str, list[str]] | None = None, **more: object) -> Interaction:
    document: dict[str, Any] = yaml.safe_load(SAMPLE)
    document["interactions"][0]["response"] |= more
    if headers is not None:
        document["interactions"][0]["response"]["headers"] = headers
    return only(read(yaml.safe_dump(document).encode()).tape)


def test_a_cassette_of_go_vcr_becomes_a_tape() -> None:
    imported = read(SAMPLE.encode())
    one = only(imported.tape)
    assert imported.kind == "go-vcr"
    assert (one.method, one.target, one.request_body) == ("POST", "/v1/threads/runs?a=b", b'{"stream":true}')
    assert (one.status, one.body, one.chunks, one.times_known) == (200, b'{"id":"run_abc123"}', ((1613, 19),), True)


def test_the_first_version_is_told_by_its_url() -> None:
    assert read(SAMPLE.replace("version: 2", "version: 1").encode()).kind == "go-vcr"


@pytest.mark.parametrize(
    ("duration", "took_ms"),
    [("1m2.5s", 62_500), ("612.9ms", 613), ("1h0m0s", 3_600_000), ("25µs", None), (1_500_000_000, 1500), ("", None),
     ("0s", None),
     (0, None), (True, None), ("soon", None), (None, None), ("9" * 15 + "h", None), ("1" * 400 + "s", None)],
)  # fmt: skip
def test_a_duration_is_the_time_of_a_whole_body(duration: object, took_ms: int | None) -> None:
    one = answer(duration=duration)
    assert (one.chunks, one.times_known) == (((took_ms or 0, 19),), took_ms is not None)


def test_the_pace_of_a_stream_is_not_known() -> None:
    one = answer({"Content-Type": ["text/event-stream"]}, body="data: 1\n\ndata: 2\n\n")
    assert (one.chunks, one.times_known) == (((0, 9), (0, 9)), False)


def test_a_body_that_is_still_compressed_is_decoded() -> None:
    one = answer({"Content-Encoding": ["gzip"]}, body=gzip.compress(b"plain"))
    assert (one.body, one.enc) == (b"plain", "gzip")
