"""Each module is one group of checks: `probe` collects facts from the machine, `evaluate` turns them into results."""
