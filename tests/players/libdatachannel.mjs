// Plays by WHEP with libdatachannel, a small WebRTC stack in C++: prints what has arrived as JSON.
import { PeerConnection, Video, Audio } from 'node-datachannel';

const url = process.argv[2], enough = Number(process.env.FRAMES);
const peer = new PeerConnection('player', { iceServers: [] });
const counts = { frames: 0, keyframes: 0, audio: 0 };
const media = { video: new Video('video', 'RecvOnly'), audio: new Audio('audio', 'RecvOnly') };
media.video.addH264Codec(96);
media.audio.addOpusCodec(111);
const tracks = Object.entries(media).map(([kind, description]) => {
  const track = peer.addTrack(description);
  track.onMessage((packet) => {
    if ((packet[1] & 127) !== (kind === 'video' ? 96 : 111)) return; // RTCP
    if (kind === 'audio') counts.audio += 1;
    else {
      const payload = packet.subarray(12 + (packet[0] & 16 ? 4 + 4 * packet.readUInt16BE(14) : 0)), type = payload[0] & 31;
      const starts = type === 28 && payload[1] & 128 ? payload[1] & 31 : type;
      counts.keyframes += starts === 5 || starts === 7 ? 1 : 0;
      counts.frames += packet[1] >> 7;
    }
  });
  return track;
});
const offer = await new Promise((resolve) => {
  peer.onGatheringStateChange((state) => state === 'complete' && resolve(peer.localDescription().sdp));
  peer.setLocalDescription();
});
const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: offer });
if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
peer.setRemoteDescription(await answer.text(), 'answer');
const session = new URL(answer.headers.get('Location'), url);
setInterval(async () => {
  if (counts.frames < enough || !counts.keyframes || !counts.audio) return;
  const { status } = await fetch(session, { method: 'DELETE' });
  process.stdout.write(JSON.stringify({ ...counts, deleted: status, tracks: tracks.length }), () => process.exit(0));
}, 50);
