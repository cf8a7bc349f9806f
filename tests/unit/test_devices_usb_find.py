import pytest

from broadcaster.devices.usb import find
from broadcaster.devices.usb.camera import Node
from broadcaster.devices.usb.find import DeviceScan, is_camera, pick_camera, scan_devices
from broadcaster.errors import SourceError

# device_caps as VIDIOC_QUERYCAP reports them (videodev2.h): capture 1, M2M 0x8000 and 0x4000, metadata 0x800000,
# streaming 0x4000000, media controller 0x20000000, extended formats 0x200000.
C920 = Node("/dev/video0", "uvcvideo", "HD Pro Webcam C920", "usb-0000:01:00.0-1.2", 0x04200001)
C920_METADATA = Node("/dev/video1", "uvcvideo", "HD Pro Webcam C920", "usb-0000:01:00.0-1.2", 0x04A00000)
CHEAP = Node("/dev/video2", "uvcvideo", "USB Camera: USB Camera", "usb-0000:01:00.0-1.3", 0x04200001)
PI_4 = [
    Node("/dev/video10", "bcm2835-codec", "bcm2835-codec-decode", "platform:bcm2835-codec", 0x04204000),
    Node("/dev/video11", "bcm2835-codec", "bcm2835-codec-encode", "platform:bcm2835-codec", 0x04204000),
    Node("/dev/video13", "bcm2835-isp", "bcm2835-isp", "platform:bcm2835-isp", 0x04200002),
    Node("/dev/video14", "bcm2835-isp", "bcm2835-isp", "platform:bcm2835-isp", 0x04200001),
    Node("/dev/video16", "bcm2835-isp", "bcm2835-isp", "platform:bcm2835-isp", 0x04A00000),
    Node("/dev/video19", "rpi-hevc-dec", "rpi-hevc-dec", "platform:rpi-hevc-dec", 0x04204000),
    Node("/dev/video0", "unicam", "unicam", "platform:fe801000.csi", 0x25200001),
]
PI_5 = [
    Node("/dev/video0", "rp1-cfe", "rp1-cfe", "platform:1f00128000.csi", 0x25200001),
    Node("/dev/video20", "pispbe", "pispbe", "platform:1000880000.pisp_be", 0x05201000),
    Node("/dev/video19", "rpi-hevc-dec", "rpi-hevc-dec", "platform:rpi-hevc-dec", 0x04204000),
]
BOTH = DeviceScan((C920, CHEAP))


def test_is_camera_excludes_codecs_image_processors_and_metadata_nodes():
    nodes = [*PI_4, C920, C920_METADATA, CHEAP, *PI_5]
    assert [node for node in nodes if is_camera(node)] == [C920, CHEAP]


@pytest.mark.parametrize(
    ("device", "node"),
    [
        ("", C920),
        ("/dev/video2", CHEAP),
        ("2", CHEAP),
        ("HD Pro Webcam C920", C920),
        ("c920", C920),
        ("usb camera", CHEAP),
    ],
)
def test_pick_camera_by_path_number_or_name(device, node):
    assert pick_camera(BOTH, device) == node


def test_pick_camera_by_link_in_by_id(tmp_path, monkeypatch):
    monkeypatch.setattr(find, "_BY_ID", tmp_path)
    link = tmp_path / "usb-046d_HD_Pro_Webcam_C920_1234-video-index0"
    link.symlink_to("/dev/video2")
    assert pick_camera(BOTH, str(link)) == CHEAP
    assert pick_camera(BOTH, link.name) == CHEAP


def test_pick_camera_prefers_an_equal_name_to_a_partial_match():
    equal = Node("/dev/video4", "uvcvideo", "Camera", "usb-1", 0x04200001)
    assert pick_camera(DeviceScan((CHEAP, equal)), "camera") == equal


@pytest.mark.parametrize(
    ("scan", "device", "text"),
    [
        (DeviceScan(), "", "no USB camera is plugged in"),
        (DeviceScan(), "c920", "video.device = 'c920' is not connected: no USB camera"),
        (
            BOTH,
            "/dev/video7",
            "'/dev/video7' is not connected; available: /dev/video0 (HD Pro Webcam C920), /dev/video2 (",
        ),
        (DeviceScan((), ("/dev/video0",)), "", "no permission to open /dev/video0: sudo usermod"),
    ],
)
def test_a_missing_camera_error_lists_the_available_ones(scan, device, text):
    with pytest.raises(SourceError) as caught:
        pick_camera(scan, device)
    assert caught.value.reason == "no-camera"
    assert text in caught.value.detail


def test_scan_ignores_files_that_are_not_video_devices(tmp_path):
    (tmp_path / "video0").write_text("a file")
    (tmp_path / "video1").symlink_to("gone")
    (tmp_path / "video-of-me").write_text("")
    (tmp_path / "video2000s").write_text("")
    assert scan_devices(tmp_path) == DeviceScan()
