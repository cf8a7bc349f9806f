"""Ten viewers, and every half minute something goes wrong: `make soak`."""
