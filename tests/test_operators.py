from __future__ import annotations

import logging
import threading

import pytest

from middleware import operators
from middleware.operators import say_once


@pytest.fixture(autouse=True)
def a_process_that_has_said_nothing(monkeypatch):
    monkeypatch.setattr(operators, "_said", {})


def test_a_message_is_said_once(caplog):
    for _ in range(3):
        say_once("mind the gap", logger="middleware.station")
    assert caplog.record_tuples == [("middleware.station", logging.WARNING, "mind the gap")]


def test_a_percent_sign_in_a_message_is_only_that(caplog):
    say_once("100 %s", logger="middleware.station")
    assert caplog.messages == ["100 %s"]


def test_two_messages_are_both_said(caplog):
    say_once("one", logger="middleware.station")
    say_once("two", logger="middleware.station")
    assert caplog.messages == ["one", "two"]


def test_threads_that_say_the_same_at_once_say_it_once(caplog):
    together = threading.Barrier(8)

    def speak():
        together.wait()
        say_once("all of us", logger="middleware.station")

    threads = [threading.Thread(target=speak) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caplog.messages == ["all of us"]


def test_messages_without_end_are_not_all_remembered(caplog):
    for number in range(operators.MOST + 10):
        say_once(f"number {number}", logger="middleware.station")
    assert len(caplog.messages) == operators.MOST
