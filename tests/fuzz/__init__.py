"""Everything that comes from outside, fed with what nobody foresaw: `make fuzz SECONDS=60`."""
