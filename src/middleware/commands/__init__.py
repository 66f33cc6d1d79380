"""The commands of `python -m middleware`, one file a group; what all share with the terminal is in `terminal`.

Each file has an `add_to(commands)`, which says what its commands are called and take, and a function for each of them
that gives the exit status.
"""
