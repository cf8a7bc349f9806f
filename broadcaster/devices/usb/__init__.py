"""USB cameras, and all else that is a plain V4L2 capture device: found, asked what they can, chosen, read, encoded."""
