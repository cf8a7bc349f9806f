"""JavaScript that the tests run in the page, in any browser."""

# Reads the strip of each presented frame: 40 cells along the bottom edge, see the README of the test source.
# Each entry is [presented at (Unix ms), frame number mod 2^16, capture time (Unix ms mod 2^20)], or null for
# a frame whose strip could not be read. The time is taken before the pixels are read, which takes milliseconds.
# `testFrames` has the metadata of each frame.
WATCH = """
() => {
  const videos = (root) => [...root.querySelectorAll('*')].flatMap((element) =>
    [...(element.tagName === 'VIDEO' ? [element] : []), ...(element.shadowRoot ? videos(element.shadowRoot) : [])]);
  const CELLS = 40, canvas = new OffscreenCanvas(CELLS * 8, 8);
  const draw = canvas.getContext('2d', { willReadFrequently: true });
  const number = (bits) => bits.reduce((sum, bit) => sum * 2 + bit, 0);
  const read = (video) => {
    const height = video.videoHeight / 18;
    draw.drawImage(video, 0, video.videoHeight - height, video.videoWidth, height, 0, 0, CELLS * 8, 8);
    const pixels = draw.getImageData(0, 4, CELLS * 8, 1).data;
    const bits = Array.from({ length: CELLS }, (_, cell) => (pixels[(cell * 8 + 4) * 4 + 1] > 127 ? 1 : 0));
    const parity = bits.slice(2, 38).reduce((sum, bit) => sum ^ bit, 0);
    const good = bits[0] === 1 && bits[1] === 0 && bits[38] === parity && bits[39] === 1 - bits[38];
    return good ? [number(bits.slice(2, 18)), number(bits.slice(18, 38))] : null;
  };
  window.testPictures = [];
  window.testPictureCount = 0;
  window.testFrames = [];
  const watched = new WeakSet();
  const watch = (video) => {
    watched.add(video);
    const presented = (_, { rtpTimestamp, presentedFrames, width, height }) => {
      const at = Date.now(), strip = read(video);
      window.testFrames.push({ at, rtpTimestamp, presentedFrames, width, height, number: strip && strip[0] });
      window.testPictures.push(strip && [at, ...strip]);
      window.testPictureCount += 1;
      video.requestVideoFrameCallback(presented);
    };
    video.requestVideoFrameCallback(presented);
  };
  const watchNew = () => videos(document).filter((video) => !watched.has(video)).forEach(watch);
  watchNew();
  setInterval(watchNew, 50);
}
"""

# Runs before the page's own script: records the peer connections, and the times of the first presented frame, of
# each change of `data-state`, of each attempt to open a WebSocket, of each binary message, and of a timer of 10 ms.
INSTRUMENT = """
() => {
  window.testPeers = [];
  window.testStates = [];
  window.testFirstPicture = null;
  const Peer = window.RTCPeerConnection;
  if (Peer) {
    window.RTCPeerConnection = class extends Peer {
      constructor(...args) { super(...args); window.testPeers.push(this); }
    };
  }
  window.testAttempts = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      window.testAttempts.push(performance.now());
      this.addEventListener('message', ({ data }) => typeof data === 'string' || window.testArrivals.push(Date.now()));
    }
  };
  window.testArrivals = [];
  window.testTimers = [];
  setInterval(() => window.testTimers.push(Date.now()), 10);
  const video = HTMLVideoElement.prototype, request = video.requestVideoFrameCallback;
  video.requestVideoFrameCallback = function (callback) {
    return request.call(this, (...args) => {
      window.testFirstPicture ??= performance.now();
      callback(...args);
    });
  };
  const record = () => {
    const state = document.querySelector('live-view')?.getAttribute('data-state');
    if (state && state !== window.testStates.at(-1)?.state) window.testStates.push({ state, at: performance.now() });
  };
  new MutationObserver(record).observe(document, { subtree: true, childList: true, attributeFilter: ['data-state'] });
}
"""

INBOUND = """
async () => {
  const inbound = [];
  for (const peer of window.testPeers)
    for (const report of (await peer.getStats()).values()) if (report.type === 'inbound-rtp') inbound.push(report);
  return inbound;
}
"""

# The peaks of both channels of the newest peer connection's audio over the last 40 ms. Chromium decodes a remote track
# only while an element plays it, as the page's video element does.
LOUDNESS = """
async () => {
  if (!window.testMeters) {
    const receivers = window.testPeers.at(-1).getReceivers();
    const track = receivers.map((receiver) => receiver.track).find((track) => track.kind === 'audio');
    const context = new AudioContext(), splitter = context.createChannelSplitter(2);
    context.createMediaStreamSource(new MediaStream([track])).connect(splitter);
    window.testMeters = [0, 1].map((channel) => {
      const meter = context.createAnalyser();
      splitter.connect(meter, channel);
      return meter;
    });
    await context.resume();
  }
  return window.testMeters.map((meter) => {
    const samples = new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(samples);
    return Math.max(...samples.map(Math.abs));
  });
}
"""

# Playwright keeps every page in the foreground, so hiding is simulated within the page.
SHOW = """
() => {{
  Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
  Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }});
  document.dispatchEvent(new Event('visibilitychange'));
}}
"""

TAKE = "() => window.testPictures.splice(0)"

# The peak of what the video element plays in one second, whatever its source is. It is recorded and decoded again,
# because an AudioContext of Firefox does not run without a sound card.
PEAK = """
(async () => {
  const video = document.querySelector('video');
  const stream = video.captureStream ? video.captureStream() : video.mozCaptureStream();
  const recorder = new MediaRecorder(new MediaStream(stream.getAudioTracks())), parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  await new Promise((done) => setTimeout(done, 1000));
  recorder.stop();
  await stopped;
  const audio = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(await new Blob(parts).arrayBuffer());
  return video.muted ? 0 : Math.max(...audio.getChannelData(0).map(Math.abs));
})()
"""

WITHOUT_WEBRTC = "delete window.RTCPeerConnection;"
"""To be run before the page's script: a browser that was built without WebRTC."""
