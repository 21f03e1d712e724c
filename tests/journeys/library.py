"""The journey's chapter of files and vector stores; told in one word by a server that keeps none."""

import io
from typing import Any

import openai
from flavour import done, each, refusal, seen

NOTES = b"The sea is salt. The lighthouse of Bremen stands in Bremerhaven, and its keeper is called Ada.\n"
POLL = {"poll_interval_ms": 1}


async def library(client: Any) -> dict[str, Any]:
    """Files and vector stores, and a run that may search them."""
    try:
        await done(client.files.list())
    except openai.APIStatusError:
        return {"served": False}
    file = await done(client.files.create(file=("notes.txt", io.BytesIO(NOTES)), purpose="assistants"))
    stores = getattr(client, "vector_stores", None) or client.beta.vector_stores  # newer SDKs have them outside beta
    store = await done(stores.create(name="Notes", metadata={"e": "7"}))
    return {
        "served": True,
        "file": seen(file),
        "files": await each(client.files.list(purpose="assistants")),
        "read": seen(await done(client.files.retrieve(file.id))),
        "store": seen(store),
        **await _filled(stores, store.id, file.id),
        **await _searched(client, store.id, file.id),
        **await _cleared(client, stores, store.id, file.id),
    }


async def _filled(stores: Any, store_id: str, file_id: str) -> dict[str, Any]:
    """Put the file into the store, alone and in a batch."""
    return {
        "kept": seen(await done(stores.files.create_and_poll(file_id, vector_store_id=store_id, **POLL))),
        "batch": seen(
            await done(stores.file_batches.create_and_poll(vector_store_id=store_id, file_ids=[file_id], **POLL))
        ),
        "kept files": await each(stores.files.list(store_id, limit=1)),
        "kept file": seen(await done(stores.files.retrieve(file_id, vector_store_id=store_id))),
        "stores": await each(stores.list(limit=1, order="asc")),
        "renamed": seen(await done(stores.update(store_id, name="All notes"))),
        "counted": seen(await done(stores.retrieve(store_id))),
    }


async def _searched(client: Any, store_id: str, file_id: str) -> dict[str, Any]:
    """Ask an assistant that searches the store, with the file attached once more for the interpreter."""
    assistant = await done(
        client.beta.assistants.create(
            model="gpt-4o-mini",
            tools=[{"type": "file_search"}, {"type": "code_interpreter"}],
            tool_resources={"file_search": {"vector_store_ids": [store_id]}},
        )
    )
    attached = [{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}]
    message = {"role": "user", "content": "Who keeps the lighthouse?", "attachments": attached}
    thread = await done(client.beta.threads.create(messages=[message]))
    where = {"thread_id": thread.id, "assistant_id": assistant.id}
    events = await each(await done(client.beta.threads.runs.create(**where, stream=True)))
    run = await done(client.beta.threads.runs.create_and_poll(**where, **POLL))
    steps = await each(client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"))
    messages = await each(client.beta.threads.messages.list(thread.id))
    return {"thread": seen(thread), "events": events, "run": seen(run), "steps": steps, "messages": messages}


async def _cleared(client: Any, stores: Any, store_id: str, file_id: str) -> dict[str, Any]:
    """Delete from the store, then the store, then the file."""
    return {
        "taken": seen(await done(stores.files.delete(file_id, vector_store_id=store_id))),
        "closed": seen(await done(stores.delete(store_id))),
        "deleted": seen(await done(client.files.delete(file_id))),
        "gone": await refusal(lambda: client.files.retrieve(file_id)),
    }
