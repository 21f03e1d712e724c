import pytest

from wiretape.dialects.assistants.coverage import begins, begun, realm


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/threads/thread_1", "/v1/threads/thread_1"),
        ("/v1/threads/thread_1/runs/run_1/steps", "/v1/threads/thread_1"),
        ("/openai/threads/thread_1/messages", "/openai/threads/thread_1"),
        ("/v1/vector_stores/vs_1/files/file_1", "/v1/vector_stores/vs_1"),
        ("/v1/threads", None),
        ("/v1/threads/", None),
        ("/v1/threads/runs", None),
        ("/v1/assistants/asst_1", None),
        ("/v1/chat/completions", None),
    ],
)
def test_a_path_belongs_to_its_thread_or_vector_store(path: str, expected: str | None) -> None:
    assert realm(path) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"id": "run_1", "thread_id": "thread_1"}', "/v1/threads/thread_1"),
        (b'event: thread.run.created\ndata: {"id":"run_1","thread_id":"thread_1"}\n\n', "/v1/threads/thread_1"),
        (b'{"error": {}}', None),
    ],
)
def test_a_thread_that_was_made_with_a_run_is_named_by_the_answer(answer: bytes, expected: str | None) -> None:
    assert begun("/v1/threads/runs", answer) == expected
    assert begun("/v1/threads/thread_1/runs", answer) is None
    assert (begins("/v1/threads/runs"), begins("/v1/threads")) == (True, False)
