"""What is made of the stream besides RTP."""
