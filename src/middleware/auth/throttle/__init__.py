"""Guessing, slowed down: what counts as a try, where it is counted, and how long who fails has to wait."""
