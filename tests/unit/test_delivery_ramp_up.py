"""First bandwidth estimates of a new viewer: recorded from Chromium on an unlimited network, and of narrow networks."""

import pytest

from broadcaster.delivery.congestion import CongestionController
from broadcaster.delivery.ramp_up import GROWS_WITHIN, RampUp
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.bitrate import BitrateRule

WIDE_2500 = [
    (0.00, 2230, 2524), (0.20, 2265, 2485), (0.41, 2300, 2492), (0.63, 2340, 2502), (0.83, 2377, 2497),
    (1.07, 2421, 2495), (1.29, 2463, 2472), (1.49, 2501, 2451), (1.73, 2547, 2385), (1.96, 2592, 2385),
    (2.19, 2640, 2342), (2.40, 2682, 2269), (2.78, 2686, 2089), (2.87, 2736, 2093), (3.08, 2780, 2040),
    (3.30, 2780, 1900), (3.50, 2780, 1942), (3.72, 2829, 1990), (3.99, 2873, 2040), (4.15, 2921, 1968),
]  # fmt: skip
WIDE_1000 = [
    (0.00, 876, 1014), (0.20, 889, 1010), (0.40, 903, 999), (0.64, 919, 979), (0.88, 937, 959), (1.10, 953, 956),
    (1.30, 968, 939), (1.53, 985, 925), (1.76, 1003, 912), (1.97, 1019, 892), (2.20, 1037, 866), (2.42, 1056, 849),
    (2.63, 1072, 845), (2.86, 1092, 879), (3.09, 1111, 835), (3.30, 1129, 831), (3.53, 1149, 833), (3.76, 1170, 844),
]  # fmt: skip
STATIC_SCENE = [(at, remb * 0.65, sent * 0.65) for at, remb, sent in WIDE_1000]
"""A scene that needs only 650 of 1000 kbit/s: the estimate is then low because few packets are sent."""


def bandwidth_estimates(trace: list[tuple[float, float, float]]) -> list[int | None]:
    """The estimate in use after each report of `trace`: time in seconds, REMB and send rate in kbit/s."""
    controller, estimates = CongestionController(), []
    for at, remb, sent in trace:
        controller.report(ReceiverReport(0.0, 0, round(remb * 1000)), sent * 1000, at)
        estimates.append(controller.bandwidth_estimate)
    return estimates


@pytest.mark.parametrize(("trace", "rate"), [(WIDE_2500, 2500), (WIDE_1000, 1000), (STATIC_SCENE, 1000)])
def test_ramp_up_on_a_wide_network_does_not_lower_the_rate(trace, rate):
    rule = BitrateRule(300_000, rate * 1000)
    for estimate in bandwidth_estimates(trace):
        estimates = [] if estimate is None else [estimate]
        assert rule.fall(estimates) is None
        assert rule.step(estimates) is None


def test_estimate_far_below_the_rate_is_used_at_once():
    assert bandwidth_estimates([(0.0, 1200, 2500)]) == [1_200_000]


def test_falling_estimate_is_used_at_once():
    assert bandwidth_estimates([(0.0, 2200, 2500), (0.2, 2240, 2500), (0.4, 1900, 2500)]) == [None, None, 1_900_000]


def test_estimate_that_stops_growing_is_used():
    flat = [(0.2 * step, 2000 + step, 2500) for step in range(20)]
    first = next(index for index, estimate in enumerate(bandwidth_estimates(flat)) if estimate is not None)
    assert 0.2 * (first - 1) < GROWS_WITHIN <= 0.2 * first + 1e-9


def test_estimate_stays_in_use_once_ramp_up_is_over():
    trace = [
        (0.0, 2200, 2500),
        (0.2, 1900, 2500),
        *((0.4 + 0.2 * step, 1900 * 1.016**step, 2500) for step in range(20)),
    ]
    assert bandwidth_estimates(trace)[0] is None
    assert None not in bandwidth_estimates(trace)[1:]


def test_lower_estimate_between_reports_is_used():
    controller = CongestionController()
    controller.report(ReceiverReport(0.0, 0, 2_200_000), 2_500_000, 0.0)
    controller.bandwidth_dropped(1_900_000, 2_500_000, 0.1)
    assert controller.bandwidth_estimate == 1_900_000


def test_small_dips_do_not_end_the_ramp_up():
    ramp = RampUp()
    for step, estimate in enumerate((2200, 2180, 2250, 2330, 2300, 2400)):
        ramp.take(estimate, 2500, 0.2 * step)
    assert not ramp.is_over
