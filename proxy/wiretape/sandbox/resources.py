"""Tool resources that name files become ones that name vector stores, as the service makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from wiretape.sandbox.bodies import AssistantFields, NewAssistant, NewMessage, NewThread, NewThreadRun, ThreadFields
from wiretape.sandbox.content import Json
from wiretape.sandbox.library import Library
from wiretape.sandbox.objects import Thread
from wiretape.sandbox.refusals import unknown
from wiretape.sandbox.sent_tools import SearchStores, StoreToMake, ToolResources
from wiretape.sandbox.shelf import is_for
from wiretape.sandbox.shelves import ExpiresAfter
from wiretape.sandbox.vector_bodies import NewStore, NewStoreFile

Resourceful = TypeVar("Resourceful", NewAssistant, AssistantFields, NewThread, ThreadFields, NewThreadRun)
"""A body that may hold tool resources."""

ATTACHED_LIFE = ExpiresAfter("last_active_at", 7)
"""The life of a vector store that was made for a thread's attachments."""


def with_stores(sent: ToolResources | None, library: Library, now_s: float) -> ToolResources | None:
    """The resources with vector stores made where they are described. Raises Refused for files that are not there.

    Captured: openai-dotnet, FileSearchWorks.json: sent as `vector_stores`, answered as `vector_store_ids`.
    """
    if sent is None or sent.file_search is None or not sent.file_search.vector_stores:
        return sent
    made = [_made(one, library, now_s) for one in sent.file_search.vector_stores]
    named = sent.file_search.vector_store_ids or []
    return replace(sent, file_search=SearchStores(vector_store_ids=[*named, *made]))


def check_described(sent: ToolResources | None, library: Library) -> None:
    """Raise Refused where a vector store that is described cannot be made, before anything is changed for it."""
    if sent is not None and sent.file_search is not None:
        for one in sent.file_search.vector_stores or ():
            library.files_of(_described(one))


def _made(sent: StoreToMake, library: Library, now_s: float) -> str:
    return library.create_store(_described(sent), now_s, 0).id


def _described(sent: StoreToMake) -> NewStore:
    file_ids = list(sent.file_ids or ())
    return NewStore(file_ids=file_ids, metadata=sent.metadata, chunking_strategy=sent.chunking_strategy)


def with_attached(thread: Thread, attachments: Sequence[Json], library: Library, now_s: float) -> Thread:
    """The thread, with what a message attaches for the file search in a vector store of its own.

    Raises Refused for files that are not there, or where there is no room.
    """
    searched = [one["file_id"] for one in attachments if is_for(one, "file_search")]
    if not searched:
        return thread
    known: Sequence[str] = (thread.tool_resources.get("file_search") or {}).get("vector_store_ids") or ()
    if not known:
        store = library.store_of(searched, now_s, ATTACHED_LIFE)
        known = [store.id]
        return replace(thread, tool_resources={**thread.tool_resources, "file_search": {"vector_store_ids": known}})
    library.place(known[0], [NewStoreFile(file_id=one) for one in searched], now_s, 0)
    return thread


def check_attached(messages: Sequence[NewMessage], library: Library) -> None:
    """Raise Refused where a message attaches a file that is not there, before anything is changed for it."""
    for message in messages:
        for attachment in message.attachments or ():
            if attachment.file_id not in library.files:
                raise unknown("file", attachment.file_id)
