"""Tests that fork: in the child as in the parent."""

from __future__ import annotations

import os
import signal
import warnings
from contextlib import contextmanager

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


@contextmanager
def forked():
    """In the child True, and its exit code is 0 where the block passes; the parent waits for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: that is what is tested
        child = os.fork()
    if child == 0:
        signal.alarm(60)  # a lock held for ever must not hang the tests
        try:
            yield True
        except BaseException as error:
            os.write(2, f"in the child: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    yield False
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
