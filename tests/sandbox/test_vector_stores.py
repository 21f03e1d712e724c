from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support import uploads
from support.assistants import FAST, Talk, talking
from wiretape.sandbox.shelves import ExpiresAfter
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.sandbox.vector_bodies import NewStoreFile
from wiretape.testing import EPOCH_S, ManualClock, StepClock

KEY = {"Authorization": "Bearer any"}
STORES = "/v1/vector_stores"
BATCHES = "VectorStoresTests/CanUseBatchIngestion.json"
CREATED = "ResponsesToolTests/FileSearchCallStreaming.json"
COUNTS = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


def _files(sandbox: Sandbox, *texts: str) -> list[str]:
    made = [
        sandbox.library.create_file(text.encode(), f"{n}.txt", "assistants", EPOCH_S) for n, text in enumerate(texts)
    ]
    return [file.id for file in made]


async def _store(talk: Talk, *texts: str, **fields: Any) -> tuple[str, list[str]]:
    ids = _files(talk.sandbox, *texts)
    made = await talk.ask("POST", STORES, {"file_ids": ids, **fields})
    return f"{STORES}/{made['id']}", ids


async def test_objects_have_the_keys_of_the_wire_in_its_order_and_need_no_beta_header() -> None:
    store = uploads.answer(CREATED, "POST", "/vector_stores")
    batch = uploads.answer(BATCHES, "POST", "/file_batches")
    files = uploads.answer(BATCHES, "GET", "/files")
    async with talking() as talk:
        ids = _files(talk.sandbox, *["x" * 21] * 5)
        made = await talk.ask("POST", STORES, {"file_ids": ids[:1]}, headers=KEY)
        path = f"{STORES}/{made['id']}"
        batched = await talk.ask("POST", f"{path}/file_batches", {"file_ids": ids}, headers=KEY)
        listed = await talk.ask("GET", f"{path}/files", headers=KEY)
    assert list(made) == list(store)
    assert made["file_counts"] == store["file_counts"]
    assert (made["status"], made["usage_bytes"], made["name"]) == (store["status"], 0, store["name"])
    assert list(batched) == list(batch)
    assert (batched["object"], batched["file_counts"]) == (batch["object"], batch["file_counts"])
    assert list(listed) == list(files)
    ours, theirs = listed["data"][0], files["data"][0]
    assert list(ours) == list(theirs)
    alike = ("object", "usage_bytes", "status", "last_error", "chunking_strategy", "attributes")
    assert [ours[key] for key in alike] == [theirs[key] for key in alike]
    assert [file["id"] for file in listed["data"]] == ids[::-1]
    assert [len(one["id"]) for one in (made, batched, ours)] == [len(one["id"]) for one in (store, batch, theirs)]


async def test_ingestion_takes_its_time_and_is_counted() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(queue_s=2), clock)) as talk:
        path, ids = await _store(talk, "Paris", "Rome")
        clock.advance(1)
        early, waiting = await talk.ask("GET", path), await talk.ask("GET", f"{path}/files?filter=in_progress")
        clock.advance(1)
        late, done = await talk.ask("GET", path), await talk.ask("GET", f"{path}/files/{ids[0]}")
        none = await talk.ask("GET", f"{path}/files?filter=in_progress")
    assert (early["status"], early["usage_bytes"]) == ("in_progress", 0)
    assert early["file_counts"] == {**COUNTS, "in_progress": 2, "total": 2}
    assert (late["status"], late["usage_bytes"]) == ("completed", 5 + 4 + 2 * 1_024)
    assert late["file_counts"] == {**COUNTS, "completed": 2, "total": 2}
    assert (len(waiting["data"]), len(none["data"])) == (2, 0)
    assert (done["status"], done["usage_bytes"]) == ("completed", 5 + 1_024)


async def test_a_store_is_modified_listed_and_deleted() -> None:
    async with talking() as talk:
        path, ids = await _store(talk, "x", name="A", metadata={"k": "v"})
        changed = await talk.ask("POST", path, {"name": "B", "expires_after": {"anchor": "last_active_at", "days": 7}})
        other, _ = await _store(talk)
        listed = await talk.ask("GET", f"{STORES}?limit=1")
        rest = await talk.ask("GET", f"{STORES}?after={listed['last_id']}")
        gone = await talk.ask("DELETE", path)
        again = await talk.ask("GET", path)
        kept = await talk.ask("GET", f"/v1/files/{ids[0]}")
    assert (changed["name"], changed["metadata"]) == ("B", {"k": "v"})
    assert changed["expires_at"] == changed["last_active_at"] + 7 * 86_400
    assert ([one["id"] for one in listed["data"]], listed["has_more"]) == ([other.rpartition("/")[2]], True)
    assert [one["name"] for one in rest["data"]] == ["B"]
    assert gone == {"id": changed["id"], "object": "vector_store.deleted", "deleted": True}
    assert again["error"]["message"] == f"No vector store found with id '{changed['id']}'."
    assert kept["id"] == ids[0]


async def test_a_file_is_attached_labelled_read_and_taken_out() -> None:
    async with talking() as talk:
        path, _ = await _store(talk)
        (file_id,) = _files(talk.sandbox, "It rains.")
        strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
        sent = {"file_id": file_id, "attributes": {"n": 1, "b": True}, "chunking_strategy": strategy}
        made = await talk.ask("POST", f"{path}/files", sent)
        again = await talk.ask("POST", f"{path}/files", {"file_id": file_id})
        relabelled = await talk.ask("POST", f"{path}/files/{file_id}", {"attributes": {"x": "y"}})
        content = await talk.ask("GET", f"{path}/files/{file_id}/content")
        store = await talk.ask("GET", path)
        gone = await talk.ask("DELETE", f"{path}/files/{file_id}")
        missed = await talk.ask("GET", f"{path}/files/{file_id}")
    assert (made["status"], made["attributes"], made["chunking_strategy"]) == (
        "in_progress",
        {"n": 1, "b": True},
        strategy,
    )
    assert (again["attributes"], relabelled["attributes"]) == ({}, {"x": "y"})
    assert content == {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": "It rains."}],
        "has_more": False,
        "next_page": None,
    }
    assert store["file_counts"]["total"] == 1
    assert gone == {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}
    # mkdev-me/terraform-provider-openai issue 35
    assert (
        missed["error"]["message"] == f"No file found with id '{file_id}' in vector store '{path.rpartition('/')[2]}'."
    )


async def test_a_deleted_file_leaves_every_store() -> None:
    async with talking() as talk:
        path, ids = await _store(talk, "a", "b")
        await talk.ask("DELETE", f"/v1/files/{ids[0]}")
        left = await talk.ask("GET", f"{path}/files")
    assert [file["id"] for file in left["data"]] == [ids[1]]


async def test_a_batch_is_cancelled_while_it_is_in_progress() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(queue_s=1), clock)) as talk:
        path, _ = await _store(talk)
        ids = _files(talk.sandbox, "a", "b")
        files = [{"file_id": one, "attributes": {"n": n}} for n, one in enumerate(ids)]
        first = await talk.ask("POST", f"{path}/file_batches", {"files": files[:1]})
        clock.advance(1)
        second = await talk.ask("POST", f"{path}/file_batches", {"files": files[1:]})
        cancelled = await talk.ask("POST", f"{path}/file_batches/{second['id']}/cancel")
        done = await talk.ask("POST", f"{path}/file_batches/{first['id']}/cancel")
        clock.advance(5)
        known = await talk.ask("GET", f"{path}/file_batches/{second['id']}")
        listed = await talk.ask("GET", f"{path}/file_batches/{second['id']}/files")
        store = await talk.ask("GET", path)
    assert (cancelled["status"], cancelled["file_counts"]) == ("cancelled", {**COUNTS, "cancelled": 1, "total": 1})
    assert (done["status"], done["file_counts"]) == ("completed", {**COUNTS, "completed": 1, "total": 1})
    assert known == cancelled
    assert [(file["id"], file["status"], file["attributes"]) for file in listed["data"]] == [
        (ids[1], "cancelled", {"n": 1})
    ]
    assert store["file_counts"] == {**COUNTS, "completed": 1, "cancelled": 1, "total": 2}


async def test_a_search_finds_the_nearest_first() -> None:
    async with talking() as talk:
        path, ids = await _store(talk, "Rome is in Italy.", "Paris is the capital of France.", "The capital letter")
        sent = {"query": "capital of France", "max_num_results": 2}
        found = await talk.ask("POST", f"{path}/search", sent)
        near = await talk.ask("POST", f"{path}/search", {**sent, "ranking_options": {"score_threshold": 0.9}})
        all_of_them = await talk.ask("POST", f"{path}/search", {"query": ["volcano", "tide"]})
    assert list(found) == ["object", "search_query", "data", "has_more", "next_page"]
    assert found["search_query"] == ["capital of France"]
    assert found["data"][0] == {
        "file_id": ids[1],
        "filename": "1.txt",
        "score": 1.0,
        "attributes": {},
        "content": [{"type": "text", "text": "Paris is the capital of France."}],
    }
    assert [(one["file_id"], one["score"]) for one in found["data"]] == [(ids[1], 1.0), (ids[2], 0.5)]
    assert [one["file_id"] for one in near["data"]] == [ids[1]]
    assert [(one["file_id"], one["score"]) for one in all_of_them["data"]] == [(one, 0.0) for one in ids]


async def test_a_search_reads_what_is_ready_and_passes_the_filters() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(queue_s=1), clock)) as talk:
        path, _ = await _store(talk)
        ids = _files(talk.sandbox, "tide", "tide")
        for n, file_id in enumerate(ids):
            await talk.ask("POST", f"{path}/files", {"file_id": file_id, "attributes": {"n": n}})
        early = await talk.ask("POST", f"{path}/search", {"query": "tide"})
        clock.advance(1)
        filters = {"type": "or", "filters": [{"type": "gte", "key": "n", "value": 1}]}
        found = await talk.ask("POST", f"{path}/search", {"query": "tide", "filters": filters})
        refused = await talk.ask("POST", f"{path}/search", {"query": "tide", "filters": {"type": "and"}})
    assert early["data"] == []
    assert [one["file_id"] for one in found["data"]] == [ids[1]]
    assert refused["error"]["code"] == "missing_required_parameter"


async def test_a_store_that_is_not_used_expires_and_a_search_is_a_use() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        path, _ = await _store(talk, "x", expires_after={"anchor": "last_active_at", "days": 1})
        clock.advance(86_399)
        await talk.ask("POST", f"{path}/search", {"query": "x"})
        clock.advance(86_399)
        used = await talk.ask("GET", path)
        clock.advance(1)
        expired = await talk.ask("GET", path)
        refused = await talk.ask("POST", f"{path}/search", {"query": "x"})
    assert (used["status"], expired["status"]) == ("completed", "expired")
    assert refused["error"]["message"] == f"Vector store '{expired['id']}' has expired."


async def test_the_library_serves_runs_as_well() -> None:
    library = Sandbox(SandboxOptions(queue_s=1), StepClock(0)).library
    plot = library.create_file(b"\x89PNG\xff", "plot.png", "assistants_output", EPOCH_S)
    notes = library.create_file(b"The tide comes at noon.", "notes.md", "assistants", EPOCH_S)
    store = library.store_of([plot.id, notes.id], EPOCH_S, expires_after=ExpiresAfter("last_active_at", 7))
    found = library.search([store.id], "When is the tide?", EPOCH_S + 1, 20, 0.5)
    assert [(one.filename, one.score, one.texts) for one in found] == [("notes.md", 1.0, ("The tide comes at noon.",))]
    assert (library.text(plot.id), library.text(notes.id)) == ("", "The tide comes at noon.")
    assert library.download(plot.id) == b"\x89PNG\xff"
    assert store.expires_at == EPOCH_S + 7 * 86_400


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "message"),
    [
        ("GET", "/x", None, 400, "Invalid 'vector_store_id': 'x'. Expected an ID that begins with 'vs_'."),
        ("GET", "/vs_x", None, 404, "No vector store found with id 'vs_x'."),
        ("GET", "/vs_x/files", None, 404, "No vector store found with id 'vs_x'."),
        ("POST", "/vs_x/search", {"query": "x"}, 404, "No vector store found with id 'vs_x'."),
        ("POST", "", {"file_ids": ["file-x"]}, 404, "No file found with id 'file-x'."),
        ("POST", "", {"file_ids": ["x"]}, 400, "Invalid 'file_id': 'x'. Expected an ID that begins with 'file'."),
        (
            "POST",
            "",
            {"file_ids": ["file-x"] * 501},
            400,
            "array too long. Expected an array with maximum length 500, but got an array with length 501 instead.",
        ),
        ("GET", "/{id}/files?filter=x", None, 400, "Invalid 'filter'"),
        ("GET", "/{id}/files/x", None, 400, "Expected an ID that begins with 'file'"),
        ("GET", "/{id}/file_batches/vs_x", None, 400, "Expected an ID that begins with 'vsfb_'."),
        ("GET", "/{id}/file_batches/vsfb_x", None, 404, "No file batch found with id 'vsfb_x'."),
        ("POST", "/{id}/file_batches", {}, 400, "Missing required parameter: 'file_ids'."),
        ("POST", "/{id}/file_batches", {"file_ids": ["file-x"] * 2_001}, 400, "maximum length 2000"),
        ("POST", "/{id}/file_batches", {"file_ids": ["x"], "files": [{"file_id": "x"}]}, 400, "mutually exclusive"),
        ("POST", "/{id}/search", {"query": "x", "max_num_results": 51}, 400, "max_num_results"),
        ("POST", "/{id}/search", {"query": []}, 400, "query"),
    ],
)
async def test_a_request_that_may_not_be_is_refused(
    method: str, path: str, sent: Any, status: int, message: str
) -> None:
    async with talking() as talk:
        made = await talk.ask("POST", STORES, {})
        refused = await talk.ask(method, STORES + path.format(id=made["id"]), sent)
    assert talk.status == status
    assert message in refused["error"]["message"]


async def test_an_overlap_is_at_most_half_a_chunk() -> None:
    async with talking() as talk:
        path, _ = await _store(talk)
        (file_id,) = _files(talk.sandbox, "x")
        strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}}
        await talk.ask("POST", f"{path}/files", {"file_id": file_id, "chunking_strategy": strategy})
        wide = talk.status
        await talk.ask("POST", f"{path}/files", {"file_id": file_id, "chunking_strategy": {"type": "auto"}})
    assert (wide, talk.status) == (400, 200)


@pytest.mark.parametrize(
    ("bound", "most", "asks"),
    [
        ("vector_stores_max", 1, [("", {})]),
        ("vector_store_files_max", 2, [("/{id}/file_batches", 2), ("/{id}/file_batches", 3)]),
        ("vector_store_files_max", 2, [("", 3)]),
        ("vector_store_bytes_max", 2_100, [("/{id}/file_batches", 2), ("/{id}/file_batches", 3)]),
        ("file_batches_max", 1, [("/{id}/file_batches", 1), ("/{id}/file_batches", 1)]),
        ("stored_bytes_max", 20, [("/{id}", {"name": "0123456789"})]),
        ("stored_bytes_max", 1_200, [("/{id}/file_batches", 1), ("", 2)]),
    ],
)
async def test_a_bound_is_kept_and_named(bound: str, most: int, asks: list[tuple[str, Any]]) -> None:
    async with talking(Sandbox(SandboxOptions(queue_s=0, **{bound: most}), StepClock(0))) as talk:
        ids = _files(talk.sandbox, "a", "b", "c")
        made = await talk.ask("POST", STORES, {})
        for end, sent in asks:
            body = {"file_ids": ids[:sent]} if isinstance(sent, int) else sent
            refused = await talk.ask("POST", STORES + end.format(id=made["id"]), body)
    assert refused["error"]["code"] == "sandbox_full"
    assert f"{bound} is {most}" in refused["error"]["message"]


async def test_a_deleted_store_gives_its_room_back() -> None:
    async with talking(Sandbox(SandboxOptions(vector_stores_max=1, stored_bytes_max=700), StepClock(0))) as talk:
        (file_id,) = _files(talk.sandbox, "x")
        for _ in range(5):
            made = await talk.ask("POST", STORES, {"file_ids": [file_id]})
            await talk.ask("POST", f"{STORES}/{made['id']}", {"name": "B"})
            await talk.ask("DELETE", f"{STORES}/{made['id']}")
            assert talk.status == 200


def test_all_that_is_kept_can_be_written_down_and_read_again() -> None:
    library = Sandbox(FAST, StepClock(0)).library
    file = library.create_file(b"x", "x.txt", "batch", EPOCH_S, 3_600)
    store = library.store_of([file.id], EPOCH_S, ExpiresAfter("last_active_at", 7))
    library.create_batch(store.id, [NewStoreFile(file_id=file.id, attributes={"n": 1, "b": True})], EPOCH_S, 0)
    kept = [library.files[file.id], library.shelves[store.id]]
    kept += [*library.attached[store.id].values(), *library.batches[store.id].values()]
    for one in kept:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=type(one)) == one
