"""The endpoints of vector stores, their files and their batches of files, and of the search in one."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from wiretape.sandbox.api import Call, Endpoint
from wiretape.sandbox.bodies import read
from wiretape.sandbox.filters import Scalar, check
from wiretape.sandbox.library import Library
from wiretape.sandbox.objects import Deleted
from wiretape.sandbox.paging import Page, page
from wiretape.sandbox.refusals import Refused, elided, invalid, missing
from wiretape.sandbox.shelves import Attached, FileBatch, Found, StoreFile, VectorStore
from wiretape.sandbox.state import Sandbox
from wiretape.sandbox.vector_bodies import (
    NewBatch,
    NewStore,
    NewStoreFile,
    Search,
    StoreFields,
    StoreFileFields,
)

STATUSES = ("in_progress", "completed", "failed", "cancelled")


class FoundText(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of a file's text."""

    text: str


class Result(Struct, frozen=True):
    """One result of a search (ruby-openai, vector_stores_search)."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Scalar]
    content: tuple[FoundText, ...]


class Results(Struct, frozen=True, kw_only=True):
    """All results of a search."""

    object: str = "vector_store.search_results.page"
    search_query: list[str]
    data: tuple[Result, ...]
    has_more: bool = False
    next_page: str | None = None


class Texts(Struct, frozen=True, kw_only=True):
    """What a file in a vector store says."""

    object: str = "vector_store.file_content.page"
    data: tuple[FoundText, ...]
    has_more: bool = False
    next_page: str | None = None


def _library(sandbox: Sandbox, call: Call) -> Library:
    sandbox.library.advance(call.now_s)
    return sandbox.library


def list_stores(sandbox: Sandbox, call: Call) -> Page[VectorStore]:
    """GET /vector_stores."""
    library = _library(sandbox, call)
    cut = page(list(library.shelves.values()), call.query)
    shown = [library.store(shelf.id, call.now_s) for shelf in cut.data]
    return Page(data=shown, first_id=cut.first_id, last_id=cut.last_id, has_more=cut.has_more)


def create_store(sandbox: Sandbox, call: Call) -> VectorStore:
    """POST /vector_stores."""
    return _library(sandbox, call).create_store(read(call.body, NewStore), call.now_s, len(call.body))


def read_store(sandbox: Sandbox, call: Call) -> VectorStore:
    """GET /vector_stores/{vector_store_id}."""
    return _library(sandbox, call).store(call.ids["vector_store_id"], call.now_s)


def modify_store(sandbox: Sandbox, call: Call) -> VectorStore:
    """POST /vector_stores/{vector_store_id}."""
    sent = read(call.body, StoreFields)
    return _library(sandbox, call).modify_store(call.ids["vector_store_id"], sent, call.now_s, len(call.body))


def delete_store(sandbox: Sandbox, call: Call) -> Deleted:
    """DELETE /vector_stores/{vector_store_id}."""
    _library(sandbox, call).delete_store(call.ids["vector_store_id"])
    return Deleted(id=call.ids["vector_store_id"], object="vector_store.deleted")


def search(sandbox: Sandbox, call: Call) -> Results:
    """POST /vector_stores/{vector_store_id}/search."""
    sent = read(call.body, Search)
    if sent.filters is not None:
        check(sent.filters)
    found = sandbox.library.find([call.ids["vector_store_id"]], sent, call.now_s)
    return Results(search_query=sent.queries, data=tuple(_result(one) for one in found))


def _result(found: Found) -> Result:
    content = tuple(FoundText(text) for text in found.texts)
    return Result(found.file_id, found.filename, found.score, found.attributes, content)


def list_store_files(sandbox: Sandbox, call: Call) -> Page[StoreFile]:
    """GET /vector_stores/{vector_store_id}/files."""
    library = _library(sandbox, call)
    shelf = library.shelf(call.ids["vector_store_id"])
    return _page(list(library.attached[shelf.id].values()), call)


def _page(files: Sequence[Attached], call: Call) -> Page[StoreFile]:
    status = call.query.get("filter")
    if status not in {None, *STATUSES}:
        raise invalid("filter", f"expected one of {list(STATUSES)}, but got '{elided(str(status))}' instead.")
    shown = [file.shown(call.now_s) for file in files]
    return page([file for file in shown if status in {None, file.status}], call.query)


def create_store_file(sandbox: Sandbox, call: Call) -> StoreFile:
    """POST /vector_stores/{vector_store_id}/files."""
    sent = read(call.body, NewStoreFile)
    return _library(sandbox, call).attach(call.ids["vector_store_id"], sent, call.now_s, len(call.body))


def _attachment(sandbox: Sandbox, call: Call) -> Attached:
    return _library(sandbox, call).attachment(call.ids["vector_store_id"], call.ids["file_id"])


def read_store_file(sandbox: Sandbox, call: Call) -> StoreFile:
    """GET /vector_stores/{vector_store_id}/files/{file_id}."""
    return _attachment(sandbox, call).shown(call.now_s)


def modify_store_file(sandbox: Sandbox, call: Call) -> StoreFile:
    """POST /vector_stores/{vector_store_id}/files/{file_id}."""
    known = _attachment(sandbox, call)
    attributes = dict(read(call.body, StoreFileFields).attributes or {})
    return sandbox.library.relabel(known.store_id, known.file_id, attributes, len(call.body)).shown(call.now_s)


def delete_store_file(sandbox: Sandbox, call: Call) -> Deleted:
    """DELETE /vector_stores/{vector_store_id}/files/{file_id}."""
    known = _attachment(sandbox, call)
    sandbox.library.detach(known.store_id, known.file_id)
    return Deleted(id=known.file_id, object="vector_store.file.deleted")


def read_store_text(sandbox: Sandbox, call: Call) -> Texts:
    """GET /vector_stores/{vector_store_id}/files/{file_id}/content."""
    text = sandbox.library.text(_attachment(sandbox, call).file_id)
    return Texts(data=(FoundText(text),) if text else ())


def create_batch(sandbox: Sandbox, call: Call) -> FileBatch:
    """POST /vector_stores/{vector_store_id}/file_batches."""
    files = _batched(read(call.body, NewBatch))
    return _library(sandbox, call).create_batch(call.ids["vector_store_id"], files, call.now_s, len(call.body))


def _batched(sent: NewBatch) -> list[NewStoreFile]:
    """The files of a batch, each with what holds for it."""
    if sent.files and sent.file_ids:
        raise Refused(400, "Parameters 'file_ids' and 'files' are mutually exclusive.", param="files")
    files = sent.files or [
        NewStoreFile(file_id=one, attributes=sent.attributes, chunking_strategy=sent.chunking_strategy)
        for one in sent.file_ids or ()
    ]
    if not files:
        raise missing("file_ids")
    return files


def read_batch(sandbox: Sandbox, call: Call) -> FileBatch:
    """GET /vector_stores/{vector_store_id}/file_batches/{batch_id}."""
    library = _library(sandbox, call)
    return library.batch(call.ids["vector_store_id"], call.ids["batch_id"]).shown(call.now_s)


def cancel_batch(sandbox: Sandbox, call: Call) -> FileBatch:
    """POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel."""
    return _library(sandbox, call).cancel_batch(call.ids["vector_store_id"], call.ids["batch_id"], call.now_s)


def list_batch_files(sandbox: Sandbox, call: Call) -> Page[StoreFile]:
    """GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files."""
    library = _library(sandbox, call)
    return _page(library.batch_files(call.ids["vector_store_id"], call.ids["batch_id"]), call)


_STORE = "/v1/vector_stores/{vector_store_id}"
_FILE = f"{_STORE}/files/{{file_id}}"
_BATCH = f"{_STORE}/file_batches/{{batch_id}}"

ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/v1/vector_stores", list_stores),
    ("POST", "/v1/vector_stores", create_store),
    ("GET", _STORE, read_store),
    ("POST", _STORE, modify_store),
    ("DELETE", _STORE, delete_store),
    ("POST", f"{_STORE}/search", search),
    ("GET", f"{_STORE}/files", list_store_files),
    ("POST", f"{_STORE}/files", create_store_file),
    ("GET", _FILE, read_store_file),
    ("POST", _FILE, modify_store_file),
    ("DELETE", _FILE, delete_store_file),
    ("GET", f"{_FILE}/content", read_store_text),
    ("POST", f"{_STORE}/file_batches", create_batch),
    ("GET", _BATCH, read_batch),
    ("POST", f"{_BATCH}/cancel", cancel_batch),
    ("GET", f"{_BATCH}/files", list_batch_files),
)
"""Method, path and endpoint, as `api.ENDPOINTS`."""
