"""What can go wrong and what must happen then: the real daemon as a process, and figures for the table in README."""
