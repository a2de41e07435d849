"""Speed, as ratios of CPU time taken beside their floors. Start it with `python -m benchmarks`."""
