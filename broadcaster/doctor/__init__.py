"""EDGE: `broadcaster check`, which looks at everything that the stream needs and says what to do about it.

Each file is one group of checks: what is found on the machine as plain facts, and apart from it what they mean.
"""
