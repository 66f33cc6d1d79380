"""Every layer of the project keeps PEP 3333 round every shape of application, used and unused, alone and stacked."""

from __future__ import annotations

import pytest
from every_layer import (
    LAYERS,
    UsesSession,
    auth_allowing,
    auth_asking,
    conditional,
    conditional_weak,
    cookie_session,
    stack,
    stack_used,
    stored_session,
)
from gateway.servers_input import unnoticed_gateway

from middleware import SessionMiddleware, SQLiteStore, get_session
from middleware.testing import SHAPES, check_requests, check_shape, check_together, make_environ, serve

every_layer = pytest.mark.parametrize(("wrap", "adds", "changes"), LAYERS)


@pytest.mark.slow
@every_layer
def test_a_layer_keeps_pep_3333_round_every_shape(wrap, adds, changes):
    for shape in SHAPES:
        check_shape(shape, wrap, adds=adds, changes=changes, starts_late=wrap in (conditional, conditional_weak))


@pytest.mark.slow
@every_layer
def test_requests_do_not_disturb_each_other(wrap, adds, changes):
    check_together(wrap)


@pytest.mark.slow
@every_layer
def test_requests_overlap_though_the_server_denies_it(wrap, adds, changes):
    check_together(wrap, **{"wsgi.multithread": False})


@pytest.mark.parametrize(
    ("wrap", "adds", "changes"), [layer for layer in LAYERS if layer.values[0] is not unnoticed_gateway]
)  # which repairs them: tests/gateway/test_gateway.py
def test_odd_requests_are_answered(wrap, adds, changes):
    refuses_paths_of_two_readings = wrap in (auth_allowing, auth_asking, stack, stack_used)
    check_requests(wrap, answers=refuses_paths_of_two_readings)


@pytest.mark.slow
def test_sessions_in_sqlite_do_not_disturb_each_other(tmp_path):
    with SQLiteStore(tmp_path / "sessions.db") as store:
        check_together(lambda app: SessionMiddleware(UsesSession(app), store=store))


@pytest.mark.parametrize("wrap", [stored_session, cookie_session, stack], ids=lambda wrap: wrap.__name__)
def test_what_a_head_promises_is_kept_though_the_server_drops_the_body(wrap):
    """A server under CGI may never close what it was given."""

    def counter(environ, start_response):
        session = get_session(environ)
        session["count"] = session.get("count", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(session["count"]).encode()]

    layer = wrap(counter)
    heads = []
    layer(make_environ(), lambda status, headers, exc_info=None: heads.append(headers))
    (line,) = [value for name, value in heads[0] if name == "Set-Cookie"]
    assert serve(layer, make_environ(HTTP_COOKIE=line.partition(";")[0])).body == b"2"
