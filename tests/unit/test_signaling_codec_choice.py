"""Which codec and which header extensions of an m-line are chosen."""

import pytest

from broadcaster.signaling.codec_choice import (
    ABS_SEND_TIME,
    PLAYOUT_DELAY,
    ExtensionIds,
    choose_h264,
    choose_opus,
    extension_ids,
)
from broadcaster.signaling.sections import Section, split_sections


def section(*attributes: str) -> Section:
    return split_sections("v=0\nm=x\n" + "\n".join(f"a={attribute}" for attribute in attributes))[1]


def h264(*parameters: str, more: tuple[str, ...] = ()):
    """Choose among formats 96, 97 … with these parameters; an empty one has none."""
    formats = [str(number) for number in range(96, 96 + len(parameters))]
    lines = [f"rtpmap:{number} H264/90000" for number in formats]
    lines += [f"fmtp:{number} {text}" for number, text in zip(formats, parameters, strict=True) if text]
    return choose_h264(section(*lines, *more), [*formats, *(str(number) for number in range(110, 128))])


MODE = "packetization-mode=1"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (f"{MODE};profile-level-id=42e01f", MODE),
        (MODE, f"{MODE};profile-level-id=42001f"),
        (f"{MODE};profile-level-id=42001f", f"{MODE};profile-level-id=4d001f"),
        (f"{MODE};profile-level-id=4d001f", f"{MODE};profile-level-id=64001f"),
        (f"{MODE};profile-level-id=64001f", "profile-level-id=42e01f"),
        ("profile-level-id=42e01f", ""),
    ],
)
def test_constrained_baseline_in_packetization_mode_1_is_preferred(better: str, worse: str) -> None:
    for parameters in ((better, worse), (worse, better)):
        assert h264(*parameters).parameters == better
    assert h264(worse) is not None


@pytest.mark.parametrize(
    "parameters",
    ["packetization-mode=0;profile-level-id=42e01f", f"{MODE};profile-level-id=f4001f", f"{MODE};profile-level-id=42"],
)
def test_what_the_stream_cannot_be_is_not_chosen(parameters: str) -> None:
    assert h264(parameters) is None


def test_first_of_equals_is_chosen_and_names_ignore_case() -> None:
    assert h264(MODE, MODE).payload_type == 96
    assert choose_h264(section("rtpmap:99 h264/90000"), ["99"]).name == "h264/90000"
    assert choose_h264(section("rtpmap:99 H264/90000"), ["98"]) is None, "not in the m-line"
    assert choose_h264(section("rtpmap:200 H264/90000"), ["200"]) is None, "no payload type"


def test_rtx_needs_its_apt_and_nack() -> None:
    rtx = ("rtpmap:120 rtx/90000", "fmtp:120 apt=96")
    assert h264(MODE, more=(*rtx, "rtcp-fb:96 nack")).rtx_payload_type == 120
    assert h264(MODE, more=(*rtx, "rtcp-fb:* nack")).rtx_payload_type == 120
    assert h264(MODE, more=rtx).rtx_payload_type == 0
    other = ("rtpmap:120 rtx/90000", "fmtp:120 apt=97", "rtcp-fb:96 nack")
    assert h264(MODE, more=other).rtx_payload_type == 0
    assert h264(MODE, more=("rtpmap:9 rtx/90000", "fmtp:9 apt=96", "rtcp-fb:96 nack")).rtx_payload_type == 0


def test_only_feedback_that_we_understand_is_accepted() -> None:
    offered = ("nack", "transport-cc", "nack pli", "ccm fir", "rrtr", "goog-remb", "nack")
    codec = h264(MODE, more=tuple(f"rtcp-fb:96 {feedback}" for feedback in offered))
    assert codec.feedback == ("nack", "nack pli", "ccm fir", "goog-remb")


@pytest.mark.parametrize("name", ["opus/48000/2", "OPUS/48000", "Opus/48000/2"])
def test_opus_is_found_in_any_case_and_without_channels(name: str) -> None:
    codec = choose_opus(section("rtpmap:0 PCMU/8000", f"rtpmap:111 {name}", "fmtp:111 useinbandfec=1"), ["0", "111"])
    assert (codec.payload_type, codec.name, codec.parameters) == (111, name, "useinbandfec=1")
    assert choose_opus(section("rtpmap:50 multiopus/48000/6"), ["50"]) is None


def test_ids_of_header_extensions() -> None:
    both = (f"extmap:2 {ABS_SEND_TIME}", f"extmap:5/recvonly {PLAYOUT_DELAY}")
    assert extension_ids(section(*both), "video") == ExtensionIds(2, 5)
    assert extension_ids(section(*both), "audio") == ExtensionIds(0, 0)
    assert ExtensionIds(0, 5).with_uris == ((5, PLAYOUT_DELAY),)


@pytest.mark.parametrize("extmap", ["15", "0", "4096", "2/sendonly", "2/inactive", "x", ""])
def test_extensions_that_cannot_be_sent_are_left_out(extmap: str) -> None:
    assert extension_ids(section(f"extmap:{extmap} {ABS_SEND_TIME}"), "video") == ExtensionIds(0, 0)


def test_two_extensions_never_get_the_same_id() -> None:
    same = (f"extmap:2 {ABS_SEND_TIME}", f"extmap:2 {PLAYOUT_DELAY}")
    assert extension_ids(section(*same), "video") == ExtensionIds(2, 0)
