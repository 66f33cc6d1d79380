"""The layer keeps PEP 3333 round every shape of application, for strangers and for users."""

from __future__ import annotations

import pytest
from auth_helpers import basic, stored

from middleware.auth import AuthMiddleware, Basic, SessionLogin, allow, optional, require
from middleware.sessions import SessionMiddleware
from middleware.stores.memory import MemoryStore
from middleware.testing import SHAPES, check_layer, check_shape

pytestmark = pytest.mark.slow

USERS = {"ann": stored("apple")}
ANN = {"HTTP_AUTHORIZATION": basic()["Authorization"]}
CASES = {
    "allow": ([allow("/")], {}, []),
    "optional": ([optional("/")], {}, ["Vary"]),
    "require": ([require("/")], ANN, ["Vary", "Cache-Control"]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_of_application_passes_as_it_is(case, shape):
    rules, entries, adds = CASES[case]
    check_shape(shape, lambda app: AuthMiddleware(app, Basic(USERS), rules=rules), adds=adds, **entries)


@pytest.mark.parametrize("case", CASES)
def test_the_layer_keeps_pep_3333(case):
    rules, entries, _ = CASES[case]
    scheme = Basic(USERS)
    # It answers `OPTIONS *` by itself: that is no path, so no rule can be meant.
    check_layer(lambda app: AuthMiddleware(app, scheme, rules=rules), answers=True, **entries)


def test_a_login_in_a_session_keeps_pep_3333():
    scheme = SessionLogin(USERS)
    check_layer(
        lambda app: SessionMiddleware(AuthMiddleware(app, scheme, rules=[optional("/")]), store=MemoryStore()),
        answers=True,
    )


def test_a_refusal_keeps_pep_3333():
    scheme = Basic(USERS)
    check_layer(lambda app: AuthMiddleware(app, scheme), answers=True)
