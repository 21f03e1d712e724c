import pytest

from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.polls import hurried, is_unfinished


def answered(body: bytes, method: str = "GET") -> Interaction:
    headers = ((b"Content-Type", b"application/json"), (b"OpenAI-Poll-After-Ms", b"1000"))
    return Interaction(
        index=1, method=method, target="/v1/x", status=200, headers=headers, body=body, how=Ended.COMPLETE
    )


@pytest.mark.parametrize("status", [b"queued", b"in_progress", b"cancelling"])
def test_who_polls_what_is_unfinished_is_told_to_ask_again_at_once(status: bytes) -> None:
    one = answered(b'{"id":"run_1","status":"%b"}' % status)
    assert [value for name, value in hurried(one) if name.lower() == b"openai-poll-after-ms"] == [b"1"]


@pytest.mark.parametrize(
    "one",
    [
        answered(b'{"status":"completed"}'),
        answered(b'{"status":"requires_action"}'),
        answered(b'{"status":7}'),
        answered(b'{"id":"run_1"}'),
        answered(b'{"status":'),
        answered(b"[]"),
        answered(b""),
        answered(b'{"status":"queued"}', "POST"),
    ],
)
def test_any_other_answer_is_left_as_it_is(one: Interaction) -> None:
    assert not is_unfinished(one)
    assert hurried(one) == one.served_headers
