"""Ours beside the peers: what a layer costs, as a ratio to the same work done by another, in one run.

`python -m benchmarks` prints the table. method.py says how it is measured, the other files hold the cases by kind.
"""
