import pytest

from wiretape.errors import BadRequest, ExpectationFailed, UpgradeUnsupported
from wiretape.exchange import Headers, Request
from wiretape.wire.rules import check

HOST = (b"Host", b"proxy.test")
CHUNKED = (b"Transfer-Encoding", b"chunked")


def refuse(*headers: tuple[bytes, bytes], method: str = "POST", target: str = "/", version: int = 1) -> None:
    check(Request(method, target, (HOST, *headers), at_ns=0, wall_ns=0), (1, version))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (CHUNKED,),
        ((b"transfer-encoding", b"Chunked"),),
        ((b"Content-Length", b"0"),),
        ((b"Content-Length", b"9" * 19),),
        ((b"Expect", b"100-Continue"),),
        ((b"X-Tab", b"a\tb"), (b"X-Text", b"caf\xe9 \xff")),
    ],
)
def test_what_is_plain_is_forwarded(headers: Headers) -> None:
    refuse(*headers)
    refuse(method="OPTIONS", target="*")
    refuse(version=0)


@pytest.mark.parametrize("version", [(0, 9), (1, 2), (2, 0), (3, 0)])
def test_other_versions_are_refused(version: tuple[int, int]) -> None:
    with pytest.raises(BadRequest):
        check(Request("GET", "/", (HOST,), at_ns=0, wall_ns=0), version)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "http://elsewhere.test/"),
        ("GET", "elsewhere.test:443"),
        ("GET", "relative"),
        ("GET", "*"),
        ("CONNECT", "elsewhere.test:443"),
        ("CONNECT", "/"),
        ("GET", ""),
        ("GET", "/caf\u00e9"),
        ("GET", "/a\x7f"),
        ("GET", "/a\tb"),
    ],
)
def test_other_targets_than_origin_form_are_refused(method: str, target: str) -> None:
    with pytest.raises(BadRequest):
        refuse(method=method, target=target)


@pytest.mark.parametrize("control", [*range(9), *range(10, 32), 127])
def test_control_characters_in_a_field_are_refused(control: int) -> None:
    with pytest.raises(BadRequest):
        refuse((b"X", b"a%cb" % control))


@pytest.mark.parametrize(
    "headers",
    [
        ((b"Transfer-Encoding", b"gzip, chunked"),),
        ((b"Transfer-Encoding", b"identity, chunked"),),
        ((b"Transfer-Encoding", b"JUNK,chunked"),),
        ((b"Transfer-Encoding", b"chunked, chunked"),),
        ((b"Transfer-Encoding", b"xchunked"),),
        ((b"Transfer-Encoding", b""),),
        (CHUNKED, CHUNKED),
        (CHUNKED, (b"Content-Length", b"3")),
        ((b"Content-Length", b"3"), (b"Content-Length", b"3")),
        ((b"Content-Length", b"3, 3"),),
        ((b"Content-Length", b"+3"),),
        ((b"Content-Length", b"\xb2"),),
        ((b"Content-Length", b""),),
        ((b"Content-Length", b"1" * 20),),
    ],
)
def test_framing_that_two_servers_could_read_in_two_ways_is_refused(headers: Headers) -> None:
    with pytest.raises(BadRequest):
        refuse(*headers)


def test_chunks_in_http_1_0_are_refused() -> None:
    with pytest.raises(BadRequest):
        refuse(CHUNKED, version=0)


def test_an_upgrade_is_not_supported() -> None:
    with pytest.raises(UpgradeUnsupported):
        refuse((b"Upgrade", b"h2c"))


def test_an_unknown_expectation_is_refused() -> None:
    with pytest.raises(ExpectationFailed):
        refuse((b"Expect", b"100-continue"), (b"Expect", b"200-maybe"))


def test_http_1_1_without_a_host_is_refused() -> None:
    request = Request("GET", "/", (), at_ns=0, wall_ns=0)
    check(request, (1, 0))
    with pytest.raises(BadRequest, match="Host"):
        check(request, (1, 1))


@pytest.mark.parametrize("name", [b"HOST", b"Content-Type", b"User-Agent"])
def test_a_field_that_stands_once_is_refused_where_it_stands_twice(name: bytes) -> None:
    with pytest.raises(BadRequest, match="may stand once"):
        refuse((b"X", b"1"), (name, b"a"), (name.lower(), b"a"))


def test_other_fields_may_be_repeated() -> None:
    refuse((b"Accept", b"a"), (b"accept", b"b"))
