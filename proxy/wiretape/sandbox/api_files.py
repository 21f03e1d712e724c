"""The endpoints of files: upload, list, read, download, delete."""

from __future__ import annotations

from wiretape.sandbox.api import Call, Content, Endpoint
from wiretape.sandbox.files import PURPOSES, File, FileDeleted
from wiretape.sandbox.form import read_form
from wiretape.sandbox.library import Library
from wiretape.sandbox.paging import Page, page
from wiretape.sandbox.refusals import Refused, elided, invalid
from wiretape.sandbox.state import Sandbox

UPLOAD = ("POST", "/v1/files")
"""The one request whose body may be as long as an upload."""
LIST_MAX = 10_000
"""Files on one page: the most, and what comes unasked."""
LIFE_MIN_S = 3_600
LIFE_MAX_S = 2_592_000


def _library(sandbox: Sandbox, call: Call) -> Library:
    sandbox.library.advance(call.now_s)
    return sandbox.library


def list_files(sandbox: Sandbox, call: Call) -> Page[File]:
    """GET /files."""
    purpose = call.query.get("purpose")
    files = [file for file in _library(sandbox, call).files.values() if purpose in {None, file.purpose}]
    return page(files, call.query, LIST_MAX, LIST_MAX)


def create_file(sandbox: Sandbox, call: Call) -> File:
    """POST /files."""
    form = read_form(call.content_type, call.body)
    if "file" not in form.uploads:
        raise Refused(400, "'file' is a required property")
    upload = form.uploads["file"]
    purpose, expires_s = _purpose(form.fields), _expires_s(form.fields)
    return _library(sandbox, call).create_file(upload.content, upload.filename, purpose, call.now_s, expires_s)


def _purpose(fields: dict[str, str]) -> str:
    if "purpose" not in fields:
        raise Refused(400, "'purpose' is a required property")
    purpose = fields["purpose"]
    if purpose not in PURPOSES:
        raise Refused(400, f"'{elided(purpose)}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    return purpose


def _expires_s(fields: dict[str, str]) -> int | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise invalid("expires_after.anchor", "expected 'created_at'.")
    given = seconds or ""
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(LIFE_MAX_S))):
        raise invalid("expires_after.seconds", f"expected an integer, but got '{given[:40]}' instead.", "invalid_type")
    if not LIFE_MIN_S <= int(given) <= LIFE_MAX_S:
        raise invalid("expires_after.seconds", f"expected {LIFE_MIN_S} to {LIFE_MAX_S}, but got {given} instead.")
    return int(given)


def read_file(sandbox: Sandbox, call: Call) -> File:
    """GET /files/{file_id}."""
    return _library(sandbox, call).file(call.ids["file_id"])


def read_content(sandbox: Sandbox, call: Call) -> Content:
    """GET /files/{file_id}/content."""
    library = _library(sandbox, call)
    body = library.download(call.ids["file_id"])
    return Content(body, "application/octet-stream", library.file(call.ids["file_id"]).filename)


def delete_file(sandbox: Sandbox, call: Call) -> FileDeleted:
    """DELETE /files/{file_id}."""
    _library(sandbox, call).delete_file(call.ids["file_id"])
    return FileDeleted(id=call.ids["file_id"])


_FILE = "/v1/files/{file_id}"

ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/v1/files", list_files),
    (*UPLOAD, create_file),
    ("GET", _FILE, read_file),
    ("DELETE", _FILE, delete_file),
    ("GET", f"{_FILE}/content", read_content),
)
"""Method, path and endpoint, as `api.ENDPOINTS`."""
