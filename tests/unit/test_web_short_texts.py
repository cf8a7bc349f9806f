"""The fast reader of short text messages gives up on everything else, without losing a byte."""

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.web.short_texts import ShortTexts


def masked(first: int, payload: bytes, key: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Return a frame of a client (RFC 6455 §5.2), with the shortest header."""
    return bytes([first, 0x80 | len(payload)]) + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


chunks = st.lists(st.integers(1, 40), min_size=1, max_size=60)
payloads = st.lists(st.binary(max_size=125), max_size=8)


def fed(data: bytes, sizes: list[int]) -> tuple[list[bytes], bytes | None]:
    """Feed the data in chunks; return the messages, and the rest with what came after it."""
    reader, received, start = ShortTexts(), [], 0
    for size in [*sizes, len(data)]:
        chunk, start = data[start : start + size], start + size
        if reader.rest is not None:
            reader.rest += chunk
        else:
            received += reader.feed(chunk)
    return received, reader.rest


@given(payloads, st.binary(min_size=4, max_size=4), chunks)
def test_texts_are_read_however_they_are_split(payloads, key, sizes):
    data = b"".join(masked(0x81, payload, key) for payload in payloads)
    assert fed(data, sizes) == (payloads, None)


@given(payloads, st.sampled_from([0x01, 0x82, 0x88, 0x89, 0xC1]), chunks)
def test_other_frames_go_to_the_general_reader(payloads, first, sizes):
    rest = masked(first, b"abc") + masked(0x81, b"later")
    received, left = fed(b"".join(masked(0x81, payload) for payload in payloads) + rest, sizes)
    assert received == payloads
    assert left == rest


@given(payloads)
def test_long_and_unmasked_texts_go_to_the_general_reader(payloads):
    before = b"".join(masked(0x81, payload) for payload in payloads)
    for rest in (b"\x81\xfe\x00\x7e" + bytes(130), b"\x81\x03abc"):
        assert fed(before + rest, [len(before + rest)]) == (payloads, rest)


@given(st.binary(max_size=200), chunks)
def test_any_bytes_are_read_or_passed_on(data, sizes):
    received, rest = fed(data, sizes)
    assert sum(map(len, received)) + len(rest or b"") <= len(data)
