"""Conversion of the libraries' exceptions to errors that say what to do."""

import pytest

from broadcaster.devices.picamera.errors import Step, source_error
from broadcaster.errors import SourceError


def chain(*texts: str) -> RuntimeError:
    """Return an error chain as picamera2 raises it: the last text is the root cause."""
    error = None
    for text in reversed(texts):
        outer = RuntimeError(text)
        outer.__cause__ = error
        error = outer
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("error", "step", "reason", "text"),
    [
        (chain("Camera __init__ sequence did not complete.", "Failed to acquire camera: Device or resource busy"),
         Step.OPEN, "camera-busy", "in use by another process (sudo fuser"),
        (chain("Camera __init__ sequence did not complete.", "Failed to initialize camera", "Initialization failed."),
         Step.OPEN, "no-camera", "cannot open the camera: RuntimeError: Initialization failed."),
        (chain("Failed to start camera: Remote I/O error"), Step.START, "camera-lost", "ribbon cable at both ends"),
        (chain("Camera start failed: Connection timed out"), Step.START, "camera-lost", "ribbon cable"),
        (PermissionError(13, "Permission denied", "/dev/dma_heap/linux,cma"), Step.OPEN, "internal", "usermod"),
        (OSError(12, "Cannot allocate memory"), Step.CONFIGURE, "internal", "video.width"),
        (chain("failed to allocate capture buffers for stream 0"), Step.CONFIGURE, "internal", "contiguous memory"),
        (chain("Invalid camera configuration: {}"), Step.CONFIGURE, "internal", "cannot configure the camera"),
        (OSError(16, "Device or resource busy"), Step.ENCODER, "encoder", "cannot start the encoder"),
        (TypeError("start() got an unexpected keyword"), Step.START, "camera-lost", "TypeError: start() got"),
        (ImportError("half an upgrade"), Step.LOAD, "no-camera", "full-upgrade"),
    ],
)  # fmt: skip
def test_each_error_has_a_reason_and_a_remedy(tmp_path, error, step, reason, text):
    converted = source_error(error, step, tmp_path)
    assert converted.reason == reason
    assert text in converted.detail


def test_a_source_error_is_not_converted():
    error = SourceError("no-camera", "none")
    assert source_error(error, Step.OPEN) is error
