// Plays by WHEP with libwebrtc in Node.js, which decodes: prints what has arrived as JSON.
import wrtc from '@roamhq/wrtc';

const url = process.argv[2], enough = Number(process.env.FRAMES);
const peer = new wrtc.RTCPeerConnection();
const counts = { frames: 0, keyframes: 0, audio: 0, width: 0 };
peer.ontrack = ({ track }) => {
  if (track.kind === 'video') {
    new wrtc.nonstandard.RTCVideoSink(track).onframe = ({ frame }) => { counts.frames += 1; counts.width = frame.width; };
  } else new wrtc.nonstandard.RTCAudioSink(track).ondata = () => { counts.audio += 1; };
};
for (const kind of ['video', 'audio']) peer.addTransceiver(kind, { direction: 'recvonly' });
await peer.setLocalDescription(await peer.createOffer());
const headers = { 'Content-Type': 'application/sdp' };
const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription.sdp });
if (!answer.ok) {
  process.stdout.write(JSON.stringify({ status: answer.status, ...(await answer.json()) }), () => process.exit(0));
} else {
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  const session = new URL(answer.headers.get('Location'), url);
  setInterval(async () => {
    if (counts.frames < enough || !counts.audio) return;
    const { status } = await fetch(session, { method: 'DELETE' });
    process.stdout.write(JSON.stringify({ ...counts, deleted: status }), () => process.exit(0));
  }, 50);
}
