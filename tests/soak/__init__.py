"""Ten viewers, and a fault every half minute: `make soak`."""
