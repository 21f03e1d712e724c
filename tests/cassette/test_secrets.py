from wiretape.cassette.secrets import Memory, Secrets, unnumbered
from wiretape.cassette.spelling import known


def test_equal_secrets_get_equal_placeholders() -> None:
    secrets = Secrets()
    values = (b"one", b"two", b"one", b"three")
    assert [secrets.placeholder("key", value) for value in values] == [
        b"{{secret:key#1}}",
        b"{{secret:key#2}}",
        b"{{secret:key#1}}",
        b"{{secret:key#3}}",
    ]
    assert secrets.placeholder("bearer", b"one") == b"{{secret:key#1}}"


def test_what_is_known_is_bounded_to_the_last_seen() -> None:
    memory = Memory(2)
    for value in (b"first-secret-1", b"second-secret-1", b"first-secret-1", b"third-secret-1"):
        if memory.seen("key", value) is None:
            memory.keep("key", value, (known(value, b"x"),))
    assert [one.value for one in memory.known] == [b"first-secret-1", b"third-secret-1"]
    assert memory.is_full


def test_what_was_seen_lately_is_not_made_again() -> None:
    secrets = Secrets()
    for _ in range(2):
        secrets.learn("bearer", b"Bearer opaque-1", secrets.lasting, Memory(1))
        first, *others = secrets.lasting.known
    secrets.learn("bearer", b"Bearer opaque-1", secrets.lasting)
    assert (secrets.lasting.known[0] is first, others) == (True, [])


def test_an_identity_or_a_word_is_not_looked_for() -> None:
    secrets = Secrets()
    for kind, value in (("org", b"traceloop-0123456"), ("bearer", b"Bearer Completed"), ("key", b"{{secret:key#1}}")):
        secrets.learn(kind, value, secrets.lasting)
    assert secrets.lasting.known == ()


def test_placeholders_are_bounded_too() -> None:
    secrets = Secrets(secrets_max=1)
    names = [secrets.placeholder("key", b"%d" % number) for number in [*range(9), 0]]
    assert names[-1] == b"{{secret:key#10}}"


def test_keys_know_no_type_and_no_number() -> None:
    assert unnumbered(b"a {{secret:key#12}} {{secret:org}} {{x#1}}") == b"a {{secret}} {{secret}} {{x#1}}"
