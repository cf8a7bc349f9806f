"""What a measurement can be told on the command line; what is not told is the measurement's own default."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.pictures import CAMERA, ENCODER, Shape


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` is the length of the measured window, `minutes` that of `churn`; `publish` is for `hostile`.

    `camera` makes keyframes as large as a camera's.
    """

    viewers: int | None = None
    seconds: int | None = None
    rounds: int | None = None
    minutes: float | None = None
    seed: int = 1
    publish: bool = False
    camera: bool = False

    @property
    def shape(self) -> Shape:
        """The synthetic pictures of `scale`, `storm` and `memory`."""
        return CAMERA if self.camera else ENCODER
