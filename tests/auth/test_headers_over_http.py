"""The table of header fields as bytes on the wire of real servers: a client is no proxy. TRU-2 to TRU-4, T2."""

from __future__ import annotations

import json
from itertools import product

import pytest
from auth.trusting_site import SECRET
from auth_helpers import basic
from over_http import Reply, Wire
from servers.http_servers import SERVERS

pytestmark = pytest.mark.slow

PROVED = f"X-Proxy-Secret: {SECRET}"
GOOD = f"Authorization: {basic('ann', 'apple')['Authorization']}"

# Of two lines these servers hand on the one that came last: nobody behind them can tell that there were two.
KEEPS_ONE = {"cheroot"}


@pytest.fixture(scope="module", params=SERVERS)
def server(request, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log"
    with SERVERS[request.param]("auth.trusting_site:application", log) as port:
        yield request.param, port


def answered(server, target, *fields, method="GET"):
    with Wire(server[1]) as wire:
        wire.send(f"{method} {target} HTTP/1.1", *fields, "Connection: close")
        return Reply(wire.head(method))


def told(answer):
    """What the application says it got; None where the server has refused by itself."""
    return json.loads(answer.body) if answer.status == 200 else None


PLACES = [*product(("/pub", "/maybe"), ("GET", "OPTIONS"))]
AS_REMOTE_USER = [["Remote-User: root"], ["Remote_User: root"], ["REMOTE_USER: root"], ["remote-user: root"]]
AS_THE_FIELD = [
    ["X-Auth-User: root"],
    ["X_Auth_User: root"],
    ["X.Auth.User: root"],
    ["X-Auth-User : root"],
    ["x-auth_user: root", "X-Auth-Groups: admin"],
    ["X-Auth-User: root", "X-Auth-User: root"],
    ["X-Auth-User: root", "X-Proxy-Secret: a guess"],
    ["X-Auth-User: root", "X_Proxy_Secret: a guess"],
]
FORWARDED = ["X-Forwarded-User: root", "X-Forwarded-Uri: /pub", "X-Original-URL: /pub", "User-Agent: kube-probe"]


@pytest.mark.parametrize(("path", "method"), PLACES)
@pytest.mark.parametrize("layer", ["plain", "secret", "peer", "dashless"])
def test_the_fields_that_name_a_user_by_custom_are_not_visible_inside(server, layer, path, method):
    for fields in AS_REMOTE_USER:
        seen = told(answered(server, f"/{layer}{path}", *fields, method=method))
        assert seen is not None
        assert (seen["user"], seen["REMOTE_USER"]) == (None, None)
        assert "root" not in seen["fields"].values()


@pytest.mark.parametrize(("path", "method"), PLACES)
@pytest.mark.parametrize("layer", ["plain", "secret", "peer"])
def test_the_field_of_a_proxy_names_nobody_without_its_proof(server, layer, path, method):
    for fields in AS_THE_FIELD:
        answer = answered(server, f"/{layer}{path}", *fields, method=method)
        seen = told(answer)
        if seen is None:
            assert answer.status == 400, fields
            continue
        assert (seen["user"], seen["roles"], seen["REMOTE_USER"]) == (None, [], None), fields
        if layer != "plain":
            assert "root" not in repr(seen["fields"]), fields
            assert "a guess" not in seen["fields"].values(), fields


@pytest.mark.parametrize("layer", ["plain", "secret", "peer", "dashless"])
def test_no_field_opens_what_is_closed(server, layer):
    for fields in (
        [line] for line in [*FORWARDED, "Xauthuser: root", *(line for lines in AS_THE_FIELD for line in lines)]
    ):
        assert answered(server, f"/{layer}/", *fields).status in (400, 401), fields
    assert answered(server, f"/{layer}/", *FORWARDED).status == 401


@pytest.mark.parametrize("layer", ["plain", "secret", "peer"])
def test_two_lines_of_credentials_are_400_and_not_looked_at_under_allow(server, layer):
    for second in (GOOD, "Authorization: Basic YTpi"):
        for path in ("/", "/maybe"):
            status = answered(server, f"/{layer}{path}", GOOD, second).status
            assert status == 400 or server[0] in KEEPS_ONE, second
        assert answered(server, f"/{layer}/pub", GOOD, second).status in (200, 400)


def test_with_its_proof_the_proxy_names_the_user(server):
    for layer, field in (("secret", "X-Auth-User"), ("dashless", "Xauthuser")):
        groups = field.replace("User", "Groups").replace("user", "groups")
        seen = told(answered(server, f"/{layer}/", PROVED, f"{field}: ann", f"{groups}: staff, admin"))
        assert (seen["user"], seen["roles"]) == ("ann", ["admin", "staff"])
        assert SECRET not in seen["fields"].values()
        assert "ann" not in seen["fields"].values()
        assert told(answered(server, f"/{layer}/pub", PROVED, f"{field}: ann"))["user"] is None


def test_two_lines_with_the_right_proof_are_never_joined_to_a_name(server):
    for layer, field in (("secret", "X-Auth-User"), ("dashless", "Xauthuser")):
        answer = answered(server, f"/{layer}/", PROVED, f"{field}: ann", f"{field}: bob")
        if server[0] in KEEPS_ONE:
            assert told(answer)["user"] == "bob"
        else:
            assert answer.status == 400


def test_a_twin_of_a_name_with_a_dash_is_dropped_or_400_but_where_one_line_of_two_is_kept(server):
    answer = answered(server, "/secret/", PROVED, "X-Auth-User: ann", "X_Auth_User: root")
    if server[0] in KEEPS_ONE:
        assert told(answer)["user"] == "root"  # the risk that is told of at the start
    else:
        assert answer.status == 400 or told(answer)["user"] == "ann"


def test_a_name_without_a_dash_has_no_twin_on_any_server(server):
    others = [
        "X_authuser",
        "X-Authuser",
        "Xauth_user",
        "Xauth.user",
        "X.authuser",
        "Xauth-User",
        "_Xauthuser",
        "Xauthuser_",
    ]
    for other in others:
        answer = answered(server, "/dashless/", PROVED, "Xauthuser: ann", f"{other}: root")
        assert answer.status == 400 or told(answer)["user"] == "ann", other
        for groups in (other.replace("user", "groups"), other.replace("User", "Groups")):
            answer = answered(server, "/dashless/", PROVED, "Xauthuser: ann", "Xauthgroups: staff", f"{groups}: admin")
            assert answer.status == 400 or told(answer)["roles"] == ["staff"], groups
