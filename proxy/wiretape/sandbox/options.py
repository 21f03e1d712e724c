"""What may be set about the sandbox, and every bound it keeps."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class SandboxOptions(Struct, frozen=True, kw_only=True):
    """The sandbox's settings; a request that would pass a bound is refused with a message that names it."""

    seed: int = 0
    """All ids and words follow from it: the same requests in the same order get the same answers."""
    pace_s: float = 0.02
    """Seconds between the deltas of a message or of a tool call; 0 streams as fast as the connection takes it."""
    queue_s: float = 0.2
    """Seconds a run stays queued, at its start and after tool outputs."""
    clock: Literal["real", "virtual"] = "real"
    """`virtual`: nobody waits; time jumps to whatever is next, from 2026-01-01 on, the same in every run."""
    clock_step_s: float = 0.1
    """Seconds that a virtual clock moves on at each look, twice a request: so a client that polls gets somewhere."""
    api_key: str | None = None
    """The one key that is let in; none lets in any."""
    searches_max: int = 10
    """File searches between two pauses of a run; at a further one the run fails."""
    uploads_max: int = 4
    """Uploads that are read at once; further ones wait."""
    body_s: float = 60.0
    """Seconds that a request's body may take, and wait for others to be read."""
    keys_max: int = 100
    """Keys with a sandbox of their own; a further one is refused."""
    state: str | None = None
    """An SQLite file that keeps the state; none keeps it in memory alone."""
    script: str | None = None
    """A file, TOML or JSON, that tells runs what to do and which requests to refuse."""
    assistants_max: int = 1_000
    """Assistants kept at a time."""
    threads_max: int = 10_000
    """Threads kept at a time."""
    messages_max: int = 1_000
    """Messages kept in one thread."""
    runs_max: int = 1_000
    """Runs kept in one thread."""
    stored_bytes_max: int = 256 << 20
    """Bytes of all request bodies, texts of runs and files that are kept; deleting what holds them gives it back."""
    body_bytes_max: int = 1 << 20
    """Bytes of one request's body, unless it uploads a file."""
    outputs_bytes_max: int = 512 << 10
    """Bytes of all tool outputs of one request; the hosted service kept the same bound."""
    upload_bytes_max: int = 64 << 20
    """Bytes of the body of a request that uploads a file: the form with the file in it."""
    files_max: int = 10_000
    """Files kept at a time."""
    vector_stores_max: int = 1_000
    """Vector stores kept at a time."""
    vector_store_files_max: int = 10_000
    """Files in one vector store."""
    vector_store_bytes_max: int = 16 << 20
    """Bytes one vector store uses: the text of its chunks, and 1,024 for each chunk. A search reads them all."""
    file_batches_max: int = 1_000
    """Batches of files kept for one vector store."""
