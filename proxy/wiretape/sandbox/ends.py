"""How a run ends: what becomes of its open message, its open step and itself, in this order (reference chapter 7)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from wiretape.sandbox.objects import Message, Reason
from wiretape.sandbox.timeline import Draft
from wiretape.sandbox.work import LastError, Step, Usage


class Fate(Struct, frozen=True):
    """One way to end: what becomes of the run, its open step and its open message."""

    run_status: str
    step_status: str
    message_reason: str | None = None
    """Why the message is incomplete; none where it is complete."""
    error: LastError | None = None
    incomplete: str | None = None


COMPLETED = Fate("completed", "completed")
CANCELLED = Fate("cancelled", "cancelled", "run_cancelled")
EXPIRED = Fate("expired", "expired", "run_expired")


def failed(error: LastError) -> Fate:
    """The run fails with this error."""
    return Fate("failed", "failed", "run_failed", error=error)


def incomplete(reason: str) -> Fate:
    """The run stops at a bound on tokens, `max_completion_tokens` or `max_prompt_tokens`."""
    return Fate("incomplete", "completed", "max_tokens", incomplete=reason)


def close(draft: Draft, fate: Fate, usage: Usage | None = None) -> None:
    """End the run from wherever it is: message first, then step, then run; `usage` is the open step's."""
    close_work(draft, fate, usage)
    close_run(draft, fate)


def cancel(draft: Draft, pause_s: float) -> None:
    """Close what is open and announce `cancelling` at once; the run is cancelled `pause_s` seconds later."""
    close_work(draft, CANCELLED)
    draft.add("thread.run.cancelling", replace(draft.scene.run, status="cancelling", required_action=None))
    draft.wait(pause_s)
    close_run(draft, CANCELLED)


def close_work(draft: Draft, fate: Fate, usage: Usage | None = None) -> None:
    """Close the open message and the open step, where there are such."""
    if draft.scene.message is not None:
        _close_message(draft, draft.scene.message, fate)
    if draft.scene.step is not None:
        _close_step(draft, draft.scene.step, fate, usage or Usage())


def _close_message(draft: Draft, message: Message, fate: Fate) -> None:
    status = "incomplete" if fate.message_reason else "completed"
    ended = replace(
        message,
        status=status,
        incomplete_details=Reason(fate.message_reason) if fate.message_reason else None,
        incomplete_at=draft.at("incomplete", status),
        completed_at=draft.at("completed", status),
        content=draft.scene.parts,
    )
    draft.add(f"thread.message.{status}", ended)


def _close_step(draft: Draft, step: Step, fate: Fate, usage: Usage) -> None:
    error = fate.error if fate.error is None or fate.error.code != "invalid_prompt" else None  # not a step's code
    ended = replace(
        step,
        status=fate.step_status,
        usage=usage,
        last_error=error,
        cancelled_at=draft.at("cancelled", fate.step_status),
        completed_at=draft.at("completed", fate.step_status),
        failed_at=draft.at("failed", fate.step_status),
    )
    draft.add(f"thread.run.step.{fate.step_status}", ended)


def close_run(draft: Draft, fate: Fate) -> None:
    """End the run itself; its usage is the sum of its steps'."""
    run = draft.scene.run
    ended = replace(
        run,
        status=fate.run_status,
        usage=draft.scene.used,
        required_action=None,
        last_error=fate.error,
        incomplete_details=Reason(fate.incomplete) if fate.incomplete else None,
        cancelled_at=draft.at("cancelled", fate.run_status),
        failed_at=draft.at("failed", fate.run_status),
        completed_at=draft.at("completed", fate.run_status),
        expires_at=run.expires_at if fate.run_status == "expired" else None,
    )
    draft.add(f"thread.run.{fate.run_status}", ended)
