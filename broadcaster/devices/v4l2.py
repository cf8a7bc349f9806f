"""V4L2 control ids of encoders and cameras (linux/videodev2.h, linux/v4l2-controls.h)."""

from __future__ import annotations

VIDIOC_S_CTRL = 0xC008561C
"""_IOWR('V', 28, struct v4l2_control)."""

HFLIP, VFLIP = 0x00980914, 0x00980915
"""V4L2_CID_HFLIP, V4L2_CID_VFLIP: mirror horizontally, vertically."""
BITRATE = 0x009909CF
"""V4L2_CID_MPEG_VIDEO_BITRATE: bits per second."""
REPEAT_SETS = 0x009909E2
"""V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER: SPS and PPS before each keyframe."""
FORCE_KEYFRAME = 0x009909E5
"""V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME: its value is ignored."""
KEYFRAME_INTERVAL = 0x00990A66
"""V4L2_CID_MPEG_VIDEO_H264_I_PERIOD: in frames."""
PROFILE, CONSTRAINED_BASELINE = 0x00990A6B, 1
"""V4L2_CID_MPEG_VIDEO_H264_PROFILE and its V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE."""
