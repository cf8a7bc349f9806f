"""One viewer's figures, gathered from where they arise."""

from __future__ import annotations

from broadcaster.model.stats import PeerStats, QueueStats
from broadcaster.webrtc.feedback import Feedback
from broadcaster.webrtc.sender import ViewerSender


def peer_stats(
    sender: ViewerSender, queue: QueueStats, feedback: Feedback, *, keyframe_requests: int, dropped: int
) -> PeerStats:
    """The figures of a connected peer; `dropped` counts datagrams of strangers."""
    return PeerStats(
        connected=True,
        route=sender.datagrams.route,
        video_packets=sender.video.sent.packets if sender.video else 0,
        audio_packets=sender.audio.sent.packets if sender.audio else 0,
        bytes_sent=sender.datagrams.bytes_sent,
        send_errors=sender.datagrams.errors,
        packets_held=sender.datagrams.held,
        keyframe_requests=keyframe_requests,
        retransmitted=sender.budget.packets,
        nacks=feedback.nacks,
        skipped=queue.skipped,
        health=queue.health,
        backlog=queue.backlog,
        loss=feedback.loss,
        jitter=feedback.jitter,
        round_trip=feedback.round_trip,
        remb=feedback.remb,
        datagrams_dropped=dropped,
    )
