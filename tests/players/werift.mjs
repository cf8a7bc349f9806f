// Plays by WHEP with werift, WebRTC in TypeScript: prints what has arrived as JSON.
import { RTCPeerConnection, useH264, useNACK, usePLI, useOPUS } from 'werift';

const url = process.argv[2], enough = Number(process.env.FRAMES);
const H264 = useH264({ rtcpFeedbacks: [useNACK(), usePLI()] });
const peer = new RTCPeerConnection({ codecs: { video: [H264], audio: [useOPUS()] } });
const counts = { frames: 0, keyframes: 0, audio: 0 };
const type = (payload) => payload[0] & 31;
const startsKeyframe = (payload) =>
  type(payload) === 5 || type(payload) === 7 || (type(payload) === 28 && (payload[1] & 0x80) && type([payload[1]]) === 5);
for (const kind of ['video', 'audio']) {
  peer.addTransceiver(kind, { direction: 'recvonly' }).onTrack.subscribe((track) =>
    track.onReceiveRtp.subscribe(({ header, payload }) => {
      if (kind === 'audio') counts.audio += 1;
      else {
        counts.keyframes += startsKeyframe(payload) ? 1 : 0;
        counts.frames += header.marker ? 1 : 0;
      }
    }));
}
await peer.setLocalDescription(await peer.createOffer());
const headers = { 'Content-Type': 'application/sdp' };
const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription.sdp });
if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
const session = new URL(answer.headers.get('Location'), url);
setInterval(async () => {
  if (counts.frames < enough || !counts.keyframes || !counts.audio) return;
  const { status } = await fetch(session, { method: 'DELETE' });
  process.stdout.write(JSON.stringify({ ...counts, deleted: status }), () => process.exit(0));
}, 50);
