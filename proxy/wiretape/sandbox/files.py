"""Files as the API shows them, in the order of captured answers, and what an upload may ask."""

from __future__ import annotations

from msgspec import Struct

PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
"""What a file may be uploaded for, in the order in which the service names them."""
KEPT_BACK = frozenset({"assistants", "user_data"})
"""Purposes whose files the service does not give out again."""
BATCH_LIFE_S = 30 * 86_400
"""How long files of the purpose `batch` live, unless the upload says else (ruby_llm, batch_with_openai)."""
ID_LENGTH = 22


class File(Struct, frozen=True, kw_only=True):
    """A file; its content is kept beside it."""

    object: str = "file"
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int | None = None
    status: str = "processed"
    status_details: str | None = None


class FileDeleted(Struct, frozen=True, kw_only=True):
    """What is left of a deleted file (openai-dotnet, UploadFile(UsingStream): the id comes last)."""

    object: str = "file"
    deleted: bool = True
    id: str
