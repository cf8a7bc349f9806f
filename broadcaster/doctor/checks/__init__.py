"""Each file is one group of checks: what is found on the machine as plain facts, and apart from it what they mean."""
