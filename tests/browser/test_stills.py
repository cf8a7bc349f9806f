"""Stills and MJPEG in Chromium: an image element shows each keyframe when it is captured, not when the next one is."""

from __future__ import annotations

from statistics import median

from playwright.async_api import Browser

from tests.rigs.daemon import Daemon

INTERVAL = 1.0
"""Seconds between keyframes."""
PICTURES = 6

# Reads the strip of the test picture (devices/testcard/strip.py) from an image; returns for each picture how many ms
# after its capture it was shown.
SHOW = """async ([path, count]) => {
    const CELLS = 40, canvas = new OffscreenCanvas(CELLS * 8, 8), image = document.createElement("img")
    const draw = canvas.getContext("2d", { willReadFrequently: true })
    const number = (bits) => bits.reduce((sum, bit) => sum * 2 + bit, 0)
    const read = () => {
        const height = image.naturalHeight / 18
        draw.drawImage(image, 0, image.naturalHeight - height, image.naturalWidth, height, 0, 0, CELLS * 8, 8)
        const pixels = draw.getImageData(0, 4, CELLS * 8, 1).data
        const bits = Array.from({ length: CELLS }, (_, cell) => (pixels[(cell * 8 + 4) * 4 + 1] > 127 ? 1 : 0))
        const parity = bits.slice(2, 38).reduce((sum, bit) => sum ^ bit, 0)
        const good = bits[0] === 1 && bits[1] === 0 && bits[38] === parity && bits[39] === 1 - bits[38]
        return good ? [number(bits.slice(2, 18)), number(bits.slice(18, 38))] : null
    }
    document.body.append(image)
    image.src = path
    const delays = []
    for (let last = null; delays.length < count; ) {
        await new Promise(requestAnimationFrame)
        const at = Date.now(), strip = image.naturalHeight ? read() : null
        if (strip === null || strip[0] === last) continue
        last = strip[0]
        delays.push((at % (1 << 20) - strip[1] + (1 << 20)) % (1 << 20))
    }
    image.remove()
    return delays
}"""


async def test_each_keyframe_is_shown_at_once(browser: Browser) -> None:
    """Without the next part's header behind each picture, it would be shown an interval later."""
    settings = {"web__stills": "true", "video__keyframe_interval": INTERVAL, "video__width": 640, "video__height": 360}
    context = await browser.new_context()
    async with Daemon(audio__source="none", **settings) as daemon:
        page = await context.new_page()
        await page.goto(f"{daemon.url}healthz")
        (still,) = await page.evaluate(SHOW, ["/snapshot.jpg", 1])
        first, *delays = await page.evaluate(SHOW, ["/stream.mjpeg", PICTURES])
        print(f"snapshot {still} ms, first {first} ms, MJPEG {median(delays)} ms after the capture, {delays}")
        assert median(delays) < INTERVAL * 1000 * 0.7
        await page.close()
        assert await daemon.stop() == 0
    await context.close()
