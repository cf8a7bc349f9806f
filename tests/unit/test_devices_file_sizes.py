import pytest

from broadcaster.devices.encoder import thread_count
from broadcaster.devices.scaler import fitted_size


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((640, 360), (640, 360)),
        ((1280, 720), (1280, 720)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (404, 720)),
        ((768, 576), (768, 576)),
        ((641, 361), (640, 360)),
        ((4000, 10), (1280, 4)),
        ((1, 1), (2, 2)),
    ],
)
def test_fitted_size_is_even_and_within_the_box(size, fitted):
    assert fitted_size(*size, 1280, 720) == fitted


@pytest.mark.parametrize(
    ("size", "fps", "cores", "threads"),
    [
        ((640, 360), 30, 4, 1),
        ((1280, 720), 30, 4, 1),
        ((1280, 720), 60, 4, 2),
        ((1920, 1080), 30, 4, 3),
        ((1920, 1080), 30, 2, 2),
        ((3840, 2160), 30, 4, 4),
    ],
)
def test_new_encoder_has_one_thread_per_720p30(size, fps, cores, threads):
    assert thread_count(*size, fps, cores) == threads
