from __future__ import annotations

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wiretape.sandbox.form import HEAD_BYTES_MAX, PARTS_MAX, Form, Upload, read_form
from wiretape.sandbox.refusals import Refused

TYPE = "multipart/form-data; boundary=XX"
FILE = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhi\r\n'
PURPOSE = b"--XX\r\nContent-Disposition: form-data; name=purpose\r\n\r\nvision\r\n"
END = b"--XX--\r\n"
NAMES = st.text(st.characters(categories=("L", "N"), include_characters=" ;,'=*.-"), min_size=1).map(str.strip)


def _named(parameters: str) -> str:
    head = f"--XX\r\nContent-Disposition: form-data; {parameters}\r\n\r\n"
    return read_form(TYPE, head.encode() + b"\r\n" + END).uploads["file"].filename


def _refusal(content_type: str, body: bytes) -> tuple[int, str] | None:
    try:
        read_form(content_type, body)
    except Refused as refused:
        return refused.status, str(refused)
    return None


@given(st.binary(), NAMES.filter(bool))
@example(b"\r\n\r\n--XX", "a;b;c.txt")
@example(b"\r\n--", "\N{CJK UNIFIED IDEOGRAPH-4F60}.txt")
def test_what_an_http_client_sends_is_read_to_the_byte(content: bytes, name: str) -> None:
    sent = httpx2.Request("POST", "http://x", files={"file": (name, content)}, data={"purpose": "vision"})
    form = read_form(sent.headers["Content-Type"], sent.read())
    assert form == Form({"purpose": "vision"}, {"file": Upload(name, content)})


@given(st.lists(st.sampled_from([FILE, PURPOSE, END, b"--XX", b"\r\n", b"--", b"\x00\xff", b": ;=*''\""])), st.binary())
def test_a_hostile_body_is_read_or_refused(pieces: list[bytes], rest: bytes) -> None:
    for body in (b"".join(pieces) + rest, rest + b"".join(pieces)):
        assert _refusal(TYPE, body) in {None, (400, "Could not parse multipart form")}


@given(st.text(st.characters(exclude_characters="\r\n")))
@example("*0*=utf-8''%ff; name*1=x; name*0*=zlib''a")
@example("filename*=utf-7''+2AA-; name=\"file\"")
@example("name*" + "9" * 5_000 + "=x")
def test_a_hostile_head_is_read_or_refused(parameters: str) -> None:
    body = b"--XX\r\nContent-Disposition: form-data; %b\r\n\r\n\r\n" % parameters.encode(errors="replace") + END
    assert _refusal(TYPE, body) in {None, (400, "Could not parse multipart form")}


@given(st.text(st.characters(exclude_characters="\r\n")))
@example("multipart/form-data")
@example("multipart/form-data; boundary=")
@example("multipart/form-data; boundary*=utf-16''%d8")
@example("multipart/form-data; boundary=\udcff")
def test_a_hostile_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(Refused) as caught:
        read_form(content_type, FILE + END)
    assert caught.value.status == 400


@pytest.mark.parametrize("parameters", ["name*=x; name*0=file", 'name="file"; filename*=a; filename*0=b'])
def test_a_parameter_in_numbered_parts_and_in_one_is_refused(parameters: str) -> None:
    body = f"--XX\r\nContent-Disposition: form-data; {parameters}\r\n\r\n\r\n".encode() + END
    assert _refusal(TYPE, body) == (400, "Could not parse multipart form")


def test_an_extended_name_counts_before_the_plain_one() -> None:
    assert _named("name=file; filename*=UTF-8''%E4%BD%A0%E5%A5%BD.txt; filename=x") == "\u4f60\u597d.txt"
    assert _named('name="file"; filename="=?utf-8?B?5L2g?="; filename*=utf-8\'\'%e4%bd%a0') == "\u4f60"


def test_a_name_is_kept_as_it_is() -> None:
    assert _named('name="file"; filename="text/csv"') == "text/csv"  # openai-dotnet, BasicRunStepFunctionalityWorks
    assert _named('name="file"; filename="a\\"b;c.txt"') == 'a"b;c.txt'
    assert _named("name=file; filename*=utf-7''+2AA-") == "?"  # half a surrogate pair could not be answered


def test_what_stands_around_the_parts_is_skipped() -> None:
    form = read_form(TYPE, b"preamble\r\n" + FILE + END + b"epilogue")
    assert form.uploads == {"file": Upload("a.txt", b"hi")}


def test_an_empty_filename_is_no_file() -> None:
    assert read_form(TYPE, FILE.replace(b"a.txt", b"") + END) == Form({}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        FILE,
        FILE * (PARTS_MAX + 1) + END,
        FILE.replace(b"\r\n", b"\n") + END,
        FILE.replace(b'name="file"; ', b"") + END,
        PURPOSE.replace(b"vision", b"\xff") + END,
        b"--XX\r\nContent-Disposition: form-data\r\n" + END,
        b"--XXY\r\n\r\n\r\n" + END,
        FILE.replace(b"a.txt", b"a" * HEAD_BYTES_MAX) + END,
    ],
)
def test_a_broken_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="Could not parse multipart form"):
        read_form(TYPE, body)


def test_as_many_parts_as_may_be_are_read() -> None:
    assert read_form(TYPE, FILE * PARTS_MAX + END).uploads


def test_another_content_type_is_refused_by_its_name() -> None:
    with pytest.raises(Refused) as caught:
        read_form("application/json; charset=utf-8", b"{}")
    assert "Unsupported content type: 'application/json'." in str(caught.value)
    assert caught.value.body.error.code == "unsupported_content_type"
