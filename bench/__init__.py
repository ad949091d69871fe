"""Speed as people feel it, and as a ratio to the same work done by raw calls in the same run: machines are noisy, ratios less so.

`script/bench` runs it; docs/operations.md says what the numbers were and where the time goes.
"""
