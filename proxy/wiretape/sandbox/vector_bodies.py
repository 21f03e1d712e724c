"""Request bodies of the vector stores: what each may hold."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from wiretape.sandbox.bodies import Share, labels
from wiretape.sandbox.chunks import Cut
from wiretape.sandbox.filters import Filter
from wiretape.sandbox.sent_tools import Labels, Strategy
from wiretape.sandbox.shelves import ExpiresAfter, Shelf

FILES_MAX = 500
"""Files a vector store may be created with."""
BATCH_MAX = 2_000
"""Files of one batch."""

Value = Annotated[str, Meta(max_length=512)] | int | float | bool
Attributes = Annotated[dict[Annotated[str, Meta(max_length=64)], Value], Meta(max_length=16)]


class StoreFields(Struct, frozen=True, kw_only=True):
    """POST /vector_stores/{vector_store_id}: only what is sent changes."""

    name: str | None = None
    description: str | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Labels | None = None


class NewStore(StoreFields, frozen=True, kw_only=True):
    """POST /vector_stores."""

    file_ids: list[str] = []
    chunking_strategy: Strategy | None = None

    def shelf(self, store_id: str, now_s: float) -> Shelf:
        """The vector store that is asked for, without its files."""
        return Shelf(
            id=store_id,
            created_at=int(now_s),
            name=self.name,
            description=self.description,
            expires_after=self.expires_after,
            last_active_at=int(now_s),
            metadata=labels(self.metadata),
        )


class NewStoreFile(Struct, frozen=True, kw_only=True):
    """POST /vector_stores/{vector_store_id}/files, and each file of a batch."""

    file_id: str
    attributes: Attributes | None = None
    chunking_strategy: Strategy | None = None

    @property
    def cut(self) -> Cut:
        """How its text is cut."""
        return Cut() if self.chunking_strategy is None else self.chunking_strategy.cut


class StoreFileFields(Struct, frozen=True, kw_only=True):
    """POST /vector_stores/{vector_store_id}/files/{file_id}."""

    attributes: Attributes | None


class NewBatch(Struct, frozen=True, kw_only=True):
    """POST /vector_stores/{vector_store_id}/file_batches: file ids with what holds for all, or files."""

    file_ids: list[str] | None = None
    files: list[NewStoreFile] | None = None
    attributes: Attributes | None = None
    chunking_strategy: Strategy | None = None


class Ranking(Struct, frozen=True, kw_only=True):
    """How results are ranked; the sandbox has one way only."""

    ranker: str | None = None
    score_threshold: Share = 0.0


class Search(Struct, frozen=True, kw_only=True):
    """POST /vector_stores/{vector_store_id}/search."""

    query: str | Annotated[list[str], Meta(min_length=1)]
    filters: Filter | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=50)] = 10
    ranking_options: Ranking | None = None
    rewrite_query: bool | None = None

    @property
    def queries(self) -> list[str]:
        """All that is asked."""
        return [self.query] if isinstance(self.query, str) else self.query

    @property
    def threshold(self) -> float:
        """The lowest score wanted."""
        return 0.0 if self.ranking_options is None else self.ranking_options.score_threshold
