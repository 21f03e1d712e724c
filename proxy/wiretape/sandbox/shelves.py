"""Vector stores as they are kept and as the API shows them at a time, in the order of captured answers.

What is kept never says how far ingestion is: that follows from the time of whoever looks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from wiretape.sandbox.chunks import Cut
from wiretape.sandbox.filters import Scalar
from wiretape.sandbox.objects import Metadata

BEFORE = -math.inf
"""A time at which nothing is ready: what the answer to a creation shows."""
DAY_S = 86_400
ATTACHED_BYTES = 512
"""What a file in a vector store counts for among the stored bytes: its record is larger than the id that asked."""


class ExpiresAfter(Struct, frozen=True):
    """When a vector store expires: so many days after its last use."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Meta(ge=1, le=365)]


class FileCounts(Struct, frozen=True):
    """How many files are in which state."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class StaticCut(Struct, frozen=True, tag_field="type", tag="static"):
    """A chunking strategy, as answers always show it."""

    static: Cut = Cut()


class LastError(Struct, frozen=True):
    """Why a file could not be read; the sandbox reads all."""

    code: str
    message: str


class StoreFile(Struct, frozen=True, kw_only=True):
    """A file in a vector store, as the API shows it."""

    id: str
    object: str = "vector_store.file"
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: str
    last_error: LastError | None = None
    chunking_strategy: StaticCut
    attributes: dict[str, Scalar]


class VectorStore(Struct, frozen=True, kw_only=True):
    """A vector store, as the API shows it."""

    id: str
    object: str = "vector_store"
    created_at: int
    name: str | None
    description: str | None
    usage_bytes: int
    file_counts: FileCounts
    status: str
    expires_after: ExpiresAfter | None
    expires_at: int | None
    last_active_at: int
    metadata: Metadata


class FileBatch(Struct, frozen=True, kw_only=True):
    """A batch, as the API shows it (openai-dotnet, CanUseBatchIngestion; the schema says `files_batch`)."""

    id: str
    object: str = "vector_store.file_batch"
    created_at: int
    status: str
    vector_store_id: str
    file_counts: FileCounts


class Attached(Struct, frozen=True, kw_only=True):
    """A file in a vector store, as it is kept: `usage_bytes` is what it will use once it is ready.

    `kept_bytes` are counted for it among the stored bytes, until it is taken out.
    """

    file_id: str
    store_id: str
    batch_id: str | None = None
    created_at: int
    ready_s: float
    is_cancelled: bool = False
    usage_bytes: int
    kept_bytes: int = ATTACHED_BYTES
    cut: Cut
    attributes: dict[str, Scalar]

    def status(self, now_s: float) -> str:
        """How far its ingestion is."""
        if self.is_cancelled:
            return "cancelled"
        return "completed" if self.ready_s <= now_s else "in_progress"

    def shown(self, now_s: float) -> StoreFile:
        """The file as the API shows it at this time."""
        status = self.status(now_s)
        return StoreFile(
            id=self.file_id,
            usage_bytes=self.usage_bytes if status == "completed" else 0,
            created_at=self.created_at,
            vector_store_id=self.store_id,
            status=status,
            chunking_strategy=StaticCut(self.cut),
            attributes=self.attributes,
        )


class Batch(Struct, frozen=True, kw_only=True):
    """A batch, as it is kept."""

    id: str
    store_id: str
    created_at: int
    ready_s: float
    total: int
    is_cancelled: bool = False

    def status(self, now_s: float) -> str:
        """How far it is; all its files are ready at once."""
        if self.is_cancelled:
            return "cancelled"
        return "completed" if self.ready_s <= now_s else "in_progress"

    def shown(self, now_s: float) -> FileBatch:
        """The batch as the API shows it at this time."""
        status = self.status(now_s)
        return FileBatch(
            id=self.id,
            created_at=self.created_at,
            status=status,
            vector_store_id=self.store_id,
            file_counts=counts([status] * self.total),
        )


class Shelf(Struct, frozen=True, kw_only=True):
    """A vector store, as it is kept; its files and batches are kept beside it."""

    id: str
    created_at: int
    name: str | None
    description: str | None
    expires_after: ExpiresAfter | None
    last_active_at: int
    metadata: Metadata

    @property
    def expires_at(self) -> int | None:
        """When it expires unless it is used."""
        return None if self.expires_after is None else self.last_active_at + self.expires_after.days * DAY_S

    def has_expired(self, now_s: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now_s

    def shown(self, files: Iterable[Attached], now_s: float) -> VectorStore:
        """The store with these files as the API shows it at this time."""
        shown = [file.shown(now_s) for file in files]
        counted = counts([file.status for file in shown])
        return VectorStore(
            id=self.id,
            created_at=self.created_at,
            name=self.name,
            description=self.description,
            usage_bytes=sum(file.usage_bytes for file in shown),
            file_counts=counted,
            status="expired" if self.has_expired(now_s) else "in_progress" if counted.in_progress else "completed",
            expires_after=self.expires_after,
            expires_at=self.expires_at,
            last_active_at=self.last_active_at,
            metadata=self.metadata,
        )


def counts(statuses: Collection[str]) -> FileCounts:
    """How many are of each status."""
    states = list(statuses)
    return FileCounts(
        in_progress=states.count("in_progress"),
        completed=states.count("completed"),
        failed=states.count("failed"),
        cancelled=states.count("cancelled"),
        total=len(states),
    )


def kept_bytes(files: dict[str, Attached]) -> int:
    """What is counted for files in a vector store."""
    return sum(one.kept_bytes for one in files.values())


class Found(Struct, frozen=True):
    """A chunk that a search found; `score` is from 0 to 1."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Scalar]
    texts: tuple[str, ...]
