"""Files and vector stores through the official SDK, unmodified; blocking, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from support.serving import served
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import StepClock

TEXT = b"Paris is the capital of France."


@pytest.fixture
def client() -> Iterator[OpenAI]:
    sandbox = Sandbox(SandboxOptions(queue_s=0.5), StepClock(step_s=0.1))  # a few polls long
    with served(sandbox) as url, OpenAI(base_url=url, api_key="any", max_retries=0) as made:
        yield made


def test_a_file_goes_up_and_comes_back(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "\u4f60\u597d; \u00fc.jsonl"
    path.write_bytes(TEXT)
    made = client.files.create(file=path, purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3_600})
    assert (made.filename, made.bytes, made.expires_at) == (path.name, len(TEXT), made.created_at + 3_600)
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == TEXT
    assert client.files.wait_for_processing(made.id) == made
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        client.files.retrieve(made.id)


def test_files_are_listed_through_all_pages(client: OpenAI) -> None:
    ids = [client.files.create(file=(f"{n}.txt", TEXT), purpose="user_data").id for n in range(5)]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == ids


def test_a_batch_is_uploaded_and_polled(client: OpenAI) -> None:
    store = client.vector_stores.create(name="Cities")
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[(f"{n}.txt", TEXT) for n in range(3)], poll_interval_ms=1
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 3)
    listed = list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=2))
    assert [file.status for file in listed] == ["completed"] * 3
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 3
    assert client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id).status == "completed"


def test_a_file_is_uploaded_polled_searched_and_taken_out(client: OpenAI) -> None:
    store = client.vector_stores.create()
    files = client.vector_stores.files
    added = files.upload_and_poll(
        vector_store_id=store.id, file=("a.txt", TEXT), attributes={"n": 1}, poll_interval_ms=1
    )
    assert (added.status, added.attributes) == ("completed", {"n": 1})
    found = list(client.vector_stores.search(store.id, query="capital of France", rewrite_query=False))
    assert [(one.file_id, one.score, one.content[0].text) for one in found] == [(added.id, 1.0, TEXT.decode())]
    assert [part.text for part in files.content(added.id, vector_store_id=store.id)] == [TEXT.decode()]
    assert files.update(added.id, vector_store_id=store.id, attributes={"n": 2}).attributes == {"n": 2}
    assert files.delete(added.id, vector_store_id=store.id).deleted
    assert list(files.list(store.id)) == []
    again = files.create_and_poll(added.id, vector_store_id=store.id, poll_interval_ms=1)
    assert again.status == "completed"


def test_stores_are_listed_modified_and_deleted(client: OpenAI) -> None:
    stores = [client.vector_stores.create(name=str(n)) for n in range(3)]
    assert [one.name for one in client.vector_stores.list(limit=1)] == ["2", "1", "0"]
    assert client.vector_stores.update(stores[0].id, name="first").name == "first"
    assert client.vector_stores.delete(stores[0].id).deleted
    with pytest.raises(openai.NotFoundError, match="No vector store found with id"):
        client.vector_stores.retrieve(stores[0].id)
