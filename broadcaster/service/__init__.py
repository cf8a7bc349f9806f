"""systemd, Unix signals, the panel, power and garbage collection; a client for the daemon's API."""
