"""The sandbox's files and vector stores: kept as frozen values, and shown as far as they are at the time given."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import asdict, replace

from wiretape.sandbox.chance import Chance
from wiretape.sandbox.chunks import chunks, score, sought, text_of, usage_bytes
from wiretape.sandbox.files import BATCH_LIFE_S, ID_LENGTH, KEPT_BACK, File
from wiretape.sandbox.filters import Filter, Scalar, matches
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.refusals import Refused, full, misnamed, no_file, too_long, unknown
from wiretape.sandbox.shelves import (
    BEFORE,
    Attached,
    Batch,
    ExpiresAfter,
    FileBatch,
    Found,
    Shelf,
    StoreFile,
    VectorStore,
    kept_bytes,
)
from wiretape.sandbox.table import Table
from wiretape.sandbox.vector_bodies import BATCH_MAX, FILES_MAX, NewStore, NewStoreFile, Ranking, Search, StoreFields


class Library:
    """All files and vector stores. `count` is told of bytes that are kept, below zero given back, and may refuse."""

    def __init__(self, options: SandboxOptions, chance: Chance, count: Callable[[int], None]) -> None:
        self.files: Table[File] = Table()
        self.contents: dict[str, bytes] = {}
        self.shelves: Table[Shelf] = Table()
        self.attached: dict[str, dict[str, Attached]] = {}
        """By store, then by file; the same for batches."""
        self.batches: dict[str, dict[str, Batch]] = {}
        self.stored_bytes: dict[str, int] = {}
        """By store: the bytes counted for it beside its files', given back when it is deleted."""
        self._options = options
        self._chance = chance
        self._count = count

    def advance(self, now_s: float) -> None:
        """Forget the files whose time is over."""
        for file in [one for one in self.files.values() if one.expires_at is not None and one.expires_at <= now_s]:
            self.delete_file(file.id)

    def create_file(
        self, content: bytes, filename: str, purpose: str, now_s: float, expires_s: int | None = None
    ) -> File:
        """Keep a file, for `expires_s` seconds where that is given. Raises Refused where there is no room."""
        if len(self.files) >= self._options.files_max:
            raise full("files_max", self._options.files_max)
        self._count(len(content))
        life_s = BATCH_LIFE_S if expires_s is None and purpose == "batch" else expires_s
        file = File(
            id=self._chance.id("file-", ID_LENGTH),
            purpose=purpose,
            filename=filename,
            bytes=len(content),
            created_at=int(now_s),
            expires_at=None if life_s is None else int(now_s) + life_s,
        )
        self.files[file.id], self.contents[file.id] = file, content
        return file

    def file(self, file_id: str) -> File:
        """The file with this id; raises Refused where there is none."""
        if file_id not in self.files:
            raise no_file(file_id)
        return self.files[file_id]

    def download(self, file_id: str) -> bytes:
        """A file's content. Raises Refused where there is none, or where its purpose keeps it back."""
        purpose = self.file(file_id).purpose
        if purpose in KEPT_BACK:
            raise Refused(400, f"Not allowed to download files of purpose: {purpose}")
        return self.contents[file_id]

    def text(self, file_id: str) -> str:
        """What a file says: nothing where it is not UTF-8. Raises Refused where there is no such file."""
        return text_of(self.contents[self.file(file_id).id])

    def delete_file(self, file_id: str) -> None:
        """Forget a file, and take it out of every vector store. Raises Refused where there is none."""
        self._count(-self.file(file_id).bytes)
        del self.files[file_id], self.contents[file_id]
        for store_id, files in self.attached.items():
            if file_id in files:
                self.detach(store_id, file_id)

    def store_of(self, file_ids: Sequence[str], now_s: float, expires_after: ExpiresAfter) -> VectorStore:
        """A new vector store of these files. Raises Refused as `create_store` does."""
        return self.create_store(NewStore(file_ids=list(file_ids), expires_after=expires_after), now_s, 0)

    def create_store(self, sent: NewStore, now_s: float, size_bytes: int) -> VectorStore:
        """A new vector store. Raises Refused where there is no room, or where a file is unknown."""
        shelf = sent.shelf(self._chance.hex_id("vs_"), now_s)
        ingested = self.files_of(sent, shelf.id, now_s)
        self._count(size_bytes + kept_bytes(ingested))
        self.shelves[shelf.id], self.stored_bytes[shelf.id] = shelf, size_bytes
        self.attached[shelf.id], self.batches[shelf.id] = ingested, {}
        return self.store(shelf.id, BEFORE)

    def files_of(self, sent: NewStore, store_id: str = "", now_s: float = 0) -> dict[str, Attached]:
        """What a new vector store will hold. Raises Refused where there can be no such store."""
        if len(self.shelves) >= self._options.vector_stores_max:
            raise full("vector_stores_max", self._options.vector_stores_max)
        if len(sent.file_ids) > FILES_MAX:
            raise too_long("file_ids", "array", len(sent.file_ids), FILES_MAX)
        files = [NewStoreFile(file_id=one, chunking_strategy=sent.chunking_strategy) for one in sent.file_ids]
        ingested = self._ingest(files, store_id, now_s)
        self._check_room({}, ingested)
        return ingested

    def shelf(self, store_id: str) -> Shelf:
        """The vector store with this id, as it is kept; raises Refused where there is none."""
        if not store_id.startswith("vs_"):
            raise misnamed("vector_store_id", store_id, "vs_")
        if store_id not in self.shelves:
            raise unknown("vector store", store_id)
        return self.shelves[store_id]

    def store(self, store_id: str, now_s: float) -> VectorStore:
        """The vector store with this id at this time; raises Refused where there is none."""
        return self.shelf(store_id).shown(self.attached[store_id].values(), now_s)

    def modify_store(self, store_id: str, sent: StoreFields, now_s: float, size_bytes: int) -> VectorStore:
        """Change what was sent, and nothing else."""
        shelf = self.shelf(store_id)
        self._count(size_bytes)
        self.stored_bytes[store_id] += size_bytes
        changes: dict[str, Any] = {name: value for name, value in asdict(sent).items() if value is not None}
        self.shelves[store_id] = replace(shelf, **changes, last_active_at=int(now_s))
        return self.store(store_id, now_s)

    def delete_store(self, store_id: str) -> None:
        """Forget a vector store; its files stay. Raises Refused where there is none."""
        del self.shelves[self.shelf(store_id).id], self.batches[store_id]
        self._count(-self.stored_bytes.pop(store_id) - kept_bytes(self.attached.pop(store_id)))

    def attach(self, store_id: str, sent: NewStoreFile, now_s: float, size_bytes: int) -> StoreFile:
        """Put a file into a vector store, anew where it is there already. Raises Refused where there is no room."""
        self.place(store_id, [sent], now_s, size_bytes)
        return self.attached[store_id][sent.file_id].shown(BEFORE)

    def place(self, store_id: str, sent: Sequence[NewStoreFile], now_s: float, size_bytes: int) -> list[str]:
        """Put files into a vector store, all or none; gives their ids. Raises Refused where there is no room."""
        self.shelf(store_id)
        known, each_bytes = self.attached[store_id], size_bytes // len(sent)
        fresh = self._ingest(sent, store_id, now_s)
        ingested = {one: replace(file, kept_bytes=file.kept_bytes + each_bytes) for one, file in fresh.items()}
        kept = {file_id: one for file_id, one in known.items() if file_id not in ingested}
        self._check_room(kept, ingested)
        self._check_alive(store_id, now_s)
        self._count(kept_bytes({**kept, **ingested}) - kept_bytes(known))
        self._touch(store_id, now_s)
        self.attached[store_id] = {**kept, **ingested}
        return list(ingested)

    def attachment(self, store_id: str, file_id: str) -> Attached:
        """A file of a vector store, as it is kept; raises Refused where there is none."""
        self.shelf(store_id)
        if not file_id.startswith("file"):
            raise misnamed("file_id", file_id, "file")
        if file_id not in self.attached[store_id]:
            raise Refused(404, f"No file found with id '{file_id}' in vector store '{store_id}'.")
        return self.attached[store_id][file_id]

    def relabel(self, store_id: str, file_id: str, attributes: dict[str, Scalar], size_bytes: int) -> Attached:
        """Change a file's attributes in a vector store."""
        known = self.attachment(store_id, file_id)
        self._count(size_bytes)
        kept = replace(known, attributes=attributes, kept_bytes=known.kept_bytes + size_bytes)
        self.attached[store_id][file_id] = kept
        self.shelves.touch(store_id)
        return self.attached[store_id][file_id]

    def detach(self, store_id: str, file_id: str) -> None:
        """Take a file out of a vector store; the file itself stays."""
        self._count(-self.attachment(store_id, file_id).kept_bytes)
        del self.attached[store_id][file_id]
        self.shelves.touch(store_id)

    def create_batch(self, store_id: str, sent: Sequence[NewStoreFile], now_s: float, size_bytes: int) -> FileBatch:
        """Put many files into a vector store. Raises Refused where there is no room, or where a file is unknown."""
        if len(sent) > BATCH_MAX:
            raise too_long("file_ids", "array", len(sent), BATCH_MAX)
        self.shelf(store_id)
        if len(self.batches[store_id]) >= self._options.file_batches_max:
            raise full("file_batches_max", self._options.file_batches_max)
        batch_id = self._chance.hex_id("vsfb_")
        placed = self.place(store_id, sent, now_s, size_bytes)
        for file_id in placed:
            self.attached[store_id][file_id] = replace(self.attached[store_id][file_id], batch_id=batch_id)
        ready_s = now_s + self._options.queue_s
        batch = Batch(id=batch_id, store_id=store_id, created_at=int(now_s), ready_s=ready_s, total=len(placed))
        self.batches[store_id][batch_id] = batch
        return batch.shown(BEFORE)

    def batch(self, store_id: str, batch_id: str) -> Batch:
        """A batch of a vector store, as it is kept; raises Refused where there is none."""
        self.shelf(store_id)
        if not batch_id.startswith("vsfb_"):
            raise misnamed("batch_id", batch_id, "vsfb_")
        if batch_id not in self.batches[store_id]:
            raise unknown("file batch", batch_id)
        return self.batches[store_id][batch_id]

    def cancel_batch(self, store_id: str, batch_id: str, now_s: float) -> FileBatch:
        """Cancel what is still in progress of a batch; one that has ended stays as it is."""
        batch = self.batch(store_id, batch_id)
        if batch.status(now_s) == "in_progress":
            batch = replace(batch, is_cancelled=True)
            self.batches[store_id][batch_id] = batch
            self.shelves.touch(store_id)
            for file in self.batch_files(store_id, batch_id):
                self.attached[store_id][file.file_id] = replace(file, is_cancelled=True)
        return batch.shown(now_s)

    def batch_files(self, store_id: str, batch_id: str) -> list[Attached]:
        """The files of a batch that are still in the vector store."""
        batch = self.batch(store_id, batch_id)
        return [file for file in self.attached[store_id].values() if file.batch_id == batch.id]

    def search(
        self, store_ids: Iterable[str], query: str, now_s: float, results_max: int, threshold: float = 0.0
    ) -> tuple[Found, ...]:
        """What `find` finds for a plain query."""
        ranking = Ranking(score_threshold=threshold)
        return self.find(store_ids, Search(query=query, max_num_results=results_max, ranking_options=ranking), now_s)

    def find(self, store_ids: Iterable[str], sent: Search, now_s: float) -> tuple[Found, ...]:
        """The best chunks of all files that are ready, best first; without a threshold also those with score 0.

        Raises Refused where a vector store is unknown or has expired.
        """
        self.advance(now_s)
        wanted = sought(" ".join(sent.queries))
        hits = (hit for store_id in store_ids for hit in self._hits(store_id, wanted, sent.filters, now_s))
        near = (hit for hit in hits if hit.score >= sent.threshold)
        return tuple(heapq.nlargest(sent.max_num_results, near, key=lambda hit: hit.score))

    def _hits(self, store_id: str, wanted: frozenset[str], filters: Filter | None, now_s: float) -> Iterator[Found]:
        self._touch(store_id, now_s)
        for one in self.attached[store_id].values():
            if one.status(now_s) != "completed" or (filters and not matches(filters, one.attributes)):
                continue
            name = self.files[one.file_id].filename
            for chunk in chunks(self.text(one.file_id), one.cut):
                yield Found(one.file_id, name, score(wanted, chunk), one.attributes, (chunk,))

    def _check_alive(self, store_id: str, now_s: float) -> None:
        if self.shelf(store_id).has_expired(now_s):
            raise Refused(400, f"Vector store '{store_id}' has expired.")

    def _touch(self, store_id: str, now_s: float) -> None:
        """Use a vector store, which puts its expiry off. Raises Refused where it has expired."""
        self._check_alive(store_id, now_s)
        self.shelves[store_id] = replace(self.shelves[store_id], last_active_at=int(now_s))

    def _ingest(self, sent: Iterable[NewStoreFile], store_id: str, now_s: float) -> dict[str, Attached]:
        """The files as they will be kept, of several with one id the last; raises Refused where one is unknown."""
        last = {one.file_id: one for one in sent}
        return {file_id: self._ingested(one, store_id, now_s) for file_id, one in last.items()}

    def _ingested(self, sent: NewStoreFile, store_id: str, now_s: float) -> Attached:
        if not sent.file_id.startswith("file"):
            raise misnamed("file_id", sent.file_id, "file")
        if sent.file_id not in self.files:
            raise unknown("file", sent.file_id)
        return Attached(
            file_id=sent.file_id,
            store_id=store_id,
            created_at=int(now_s),
            ready_s=now_s + self._options.queue_s,
            usage_bytes=usage_bytes(chunks(self.text(sent.file_id), sent.cut)),
            cut=sent.cut,
            attributes=dict(sent.attributes or {}),
        )

    def _check_room(self, kept: dict[str, Attached], ingested: dict[str, Attached]) -> None:
        if len(kept) + len(ingested) > self._options.vector_store_files_max:
            raise full("vector_store_files_max", self._options.vector_store_files_max)
        used = sum(one.usage_bytes for files in (kept, ingested) for one in files.values())
        if used > self._options.vector_store_bytes_max:
            raise full("vector_store_bytes_max", self._options.vector_store_bytes_max)
