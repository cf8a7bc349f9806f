"""The project on aarch64, emulated on a PC: `sudo make test-arm`."""
