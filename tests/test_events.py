"""What a layer tells its listener."""

from __future__ import annotations

import logging

import pytest

from middleware import Event, operators
from middleware.events import emit


def test_an_event_is_a_frozen_value():
    event = Event("session", "login", 1.0, "ab12", "192.0.2.1", {"user": "ann"})
    assert event == Event("session", "login", 1.0, "ab12", "192.0.2.1", {"user": "ann"})
    assert event != Event("session", "logout", 1.0, "ab12", "192.0.2.1", {"user": "ann"})
    assert len({event, Event("session", "login", 1.0, "ab12", "192.0.2.1", {"user": "ann"})}) == 1
    with pytest.raises(AttributeError, match="does not change"):
        event.name = "logout"
    with pytest.raises(AttributeError, match="does not change"):
        del event.name


def test_an_event_shows_what_it_holds():
    event = Event("session", "rotated", 1.5, "ab12")
    assert repr(event) == "Event('session', 'rotated', 1.5, 'ab12', None, {})"


def test_a_listener_gets_the_event():
    heard = []
    event = Event("cookies", "dropped", 1.0)
    emit(heard.append, event)
    assert heard == [event]


def test_a_listener_that_raises_is_logged_once_and_harms_nobody(caplog):
    def listener(event):
        raise RuntimeError("the listener of this test is broken")

    with caplog.at_level(logging.WARNING, logger="middleware.events"):
        emit(listener, Event("session", "created", 1.0))
        emit(listener, Event("session", "created", 2.0))
    assert [record.name for record in caplog.records] == ["middleware.events"]
    assert "session.created: RuntimeError" in caplog.text


def test_no_client_can_use_up_what_is_said_by_what_a_listener_raises(monkeypatch, caplog):
    monkeypatch.setattr(operators, "_said", {})

    def listener(event):
        raise KeyError(event.subject)

    for number in range(1100):
        emit(listener, Event("auth", "login.failure", 1.0, f"user {number}"))
    operators.say_once("what matters", logger="middleware.events")
    assert [record.getMessage() for record in caplog.records] == [
        "on_event= failed at the event auth.login.failure: KeyError",
        "what matters",
    ]
