"""EDGE: the only place for cameras, microphones, files, encoders and threads; and the fakes, which ship."""
