"""The ways of saying who one is: one file each, and what they have in common in base."""
