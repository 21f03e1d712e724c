"""An uploaded form: multipart/form-data taken apart (RFC 7578), or refused in the API's words.

The body is whole in memory, so its parts are cut out by one search for the delimiter (RFC 2046 section 5.1.1);
headers and their parameters are read by the standard library. Its parser of whole messages is not used for the
parts: it goes line by line, descends into an uploaded e-mail and undoes base64. aiohttp's reader wants a live
stream, and believes a part's own Content-Length.
"""

from __future__ import annotations

from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value

from msgspec import Struct

from wiretape.sandbox.refusals import Refused

PARTS_MAX = 16
"""Parts of one form; the API knows four."""
HEAD_BYTES_MAX = 4 << 10
"""Bytes of one part's headers; the standard library takes time by their square."""


class Upload(Struct, frozen=True):
    """A part that has a file's name."""

    filename: str
    content: bytes


class Form(Struct, frozen=True):
    """The parts by their names; of two with one name the later counts."""

    fields: dict[str, str]
    uploads: dict[str, Upload]


def read_form(content_type: str, body: bytes) -> Form:
    """The form in a body of this content type. Raises Refused where there is none, or one that is broken."""
    form = Form({}, {})
    try:
        for head, content in _parts(body, _boundary(content_type)):
            _take(form, _parameters(head), content)
    except (ValueError, TypeError) as error:  # text that cannot be decoded; parameters numbered and not
        raise Refused(400, "Could not parse multipart form") from error
    return form


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != "multipart/form-data":
        raise _unsupported(content_type)
    boundary = (message.get_boundary() or "").encode()
    if not boundary:
        raise ValueError("no boundary")
    return boundary


def _unsupported(content_type: str) -> Refused:
    media_type = content_type.partition(";")[0].strip()
    return Refused(
        400,
        f"Unsupported content type: '{media_type}'. This API method only accepts 'multipart/form-data' requests, but "
        f"you specified the header 'Content-Type: {content_type}'. Please try again with a supported content type.",
        code="unsupported_content_type",
    )


def _parts(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Head and content of each part; what stands before the first and after the last is no part."""
    parts: list[tuple[bytes, bytes]] = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary, PARTS_MAX + 1)[1:]:
        if piece.startswith(b"--"):
            return parts
        padding, _, _ = piece.partition(b"\r\n")
        head, blank, content = piece.partition(b"\r\n\r\n")
        if padding.strip(b" \t") or not blank or len(head) > HEAD_BYTES_MAX:
            raise ValueError("a part without headers of its own")
        parts.append((head[len(padding) :].lstrip(), content))
    raise ValueError("no closing delimiter, or too many parts")


def _parameters(head: bytes) -> dict[str, str]:
    """The parameters of a part's disposition; `filename*` comes last, so it counts before `filename`."""
    message = HeaderParser().parsestr(head.decode(errors="replace"))
    named = message.get_params([], "content-disposition")
    return {name.lower(): collapse_rfc2231_value(value) for name, value in named}


def _take(form: Form, parameters: dict[str, str], content: bytes) -> None:
    name, filename = parameters.get("name"), parameters.get("filename")
    if name is None:
        raise ValueError("a part without a name")
    if filename is None:
        form.fields[name] = content.decode()
    elif filename:  # a browser without a chosen file sends an empty name
        form.uploads[name] = Upload(filename.encode(errors="replace").decode(), content)
