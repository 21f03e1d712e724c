"""A sandbox's objects to rows of its file, and back: assistants, threads, files and vector stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
from msgspec import Struct

from wiretape.sandbox.documents import conversation, thread_document
from wiretape.sandbox.files import File
from wiretape.sandbox.keeping import Kept
from wiretape.sandbox.objects import Assistant
from wiretape.sandbox.shelves import Attached, Batch, Shelf, kept_bytes
from wiretape.sandbox.state import Sandbox

ASSISTANT, THREAD, FILE, STORE = "assistant", "thread", "file", "store"


class AssistantDocument(Struct, frozen=True):
    """An assistant, and the bytes that are counted for it."""

    assistant: Assistant
    stored_bytes: int


class StoreDocument(Struct, frozen=True):
    """A vector store with the files and the batches in it."""

    shelf: Shelf
    attached: dict[str, Attached]
    batches: dict[str, Batch]
    stored_bytes: int


class Tracked(Protocol):
    """A table, whatever is in it."""

    def __contains__(self, key: object, /) -> bool:
        """Whether there is such an object."""

    def take_changed(self) -> list[str]:
        """What has changed since this was last asked."""


def tables(sandbox: Sandbox) -> dict[str, Tracked]:
    """What a sandbox consists of, by kind."""
    library = sandbox.library
    return {ASSISTANT: sandbox.assistants, THREAD: sandbox.conversations, FILE: library.files, STORE: library.shelves}


def changed(sandbox: Sandbox) -> list[Kept]:
    """All that has changed since this was last asked, as it is now."""
    return [
        _kept(sandbox, kind, one) if one in table else Kept(kind, one, None)
        for kind, table in tables(sandbox).items()
        for one in table.take_changed()
    ]


def held(sandbox: Sandbox) -> int:
    """The bytes that are counted for all that a sandbox holds."""
    library = sandbox.library
    threads = sum(one.kept_bytes for one in sandbox.conversations.values())
    files = sum(len(content) for content in library.contents.values())
    stores = sum(library.stored_bytes.values()) + sum(map(kept_bytes, library.attached.values()))
    return sum(sandbox.assistant_bytes.values()) + threads + files + stores


def _kept(sandbox: Sandbox, kind: str, one: str) -> Kept:
    library = sandbox.library
    match kind:
        case "assistant":
            document: Struct = AssistantDocument(sandbox.assistants[one], sandbox.assistant_bytes[one])
        case "thread":
            return Kept(kind, one, thread_document(sandbox.conversations[one]))
        case "file":
            return Kept(kind, one, msgspec.json.encode(library.files[one]), library.contents[one])
        case _:
            document = StoreDocument(
                library.shelves[one], library.attached[one], library.batches[one], library.stored_bytes[one]
            )
    return Kept(kind, one, msgspec.json.encode(document))


def restore(sandbox: Sandbox, kept: Iterator[Kept]) -> None:
    """Put what was kept into a new sandbox. Raises msgspec.ValidationError for what this Wiretape did not write."""
    for one in kept:
        _restore(sandbox, one.kind, one.id, one.document or b"", one.content or b"")
    changed(sandbox)  # it is as it is kept


def _restore(sandbox: Sandbox, kind: str, one: str, document: bytes, content: bytes) -> None:
    library = sandbox.library
    match kind:
        case "assistant":
            known = msgspec.json.decode(document, type=AssistantDocument)
            sandbox.assistants[one], sandbox.assistant_bytes[one] = known.assistant, known.stored_bytes
            sandbox.room.used += known.stored_bytes
        case "thread":
            sandbox.conversations[one] = conversation(document, sandbox.options)
            sandbox.room.used += sandbox.conversations[one].kept_bytes
        case "file":
            library.files[one] = msgspec.json.decode(document, type=File)
            library.contents[one] = content
            sandbox.room.used += len(content)
        case _:
            store = msgspec.json.decode(document, type=StoreDocument)
            library.shelves[one], library.attached[one], library.batches[one] = (
                store.shelf,
                store.attached,
                store.batches,
            )
            library.stored_bytes[one] = store.stored_bytes
            sandbox.room.used += store.stored_bytes + kept_bytes(store.attached)
