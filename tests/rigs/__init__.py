"""What tests and benchmarks put together: the real daemon as a process, light viewers, a real browser."""
