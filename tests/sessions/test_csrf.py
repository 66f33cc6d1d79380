"""CSRF tokens. S36 of the catalogue."""

from __future__ import annotations

from ast import literal_eval
from functools import partial
from html.parser import HTMLParser

import pytest
from asking import Browser
from hypothesis import given
from hypothesis import strategies as st
from sessions.kit import Site, everything

from middleware import MemoryStore, SessionMiddleware, check_csrf, csrf_input, get_session
from middleware.errors import LayerMissing, StoreError
from middleware.sessions.csrf import masked, matches, new_secret

SECRET = new_secret()
secrets = st.binary(min_size=16, max_size=16).map(bytes.hex)


def test_a_secret_has_128_bits_and_no_other_is_like_it():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(bytes.fromhex(secret)) for secret in made} == {16}


@given(secrets)
def test_two_readings_differ_and_both_match(secret):
    one, other = masked(secret), masked(secret)
    assert one != other
    assert matches(secret, one)
    assert matches(secret, other)


@given(secrets, secrets)
def test_a_token_of_another_secret_matches_only_where_the_secrets_are_the_same(one, other):
    assert matches(one, masked(other)) == (one == other)


def test_a_token_is_fit_for_html_urls_and_header_fields():
    assert set(masked(SECRET)) <= set("0123456789abcdef")


def test_no_two_tokens_show_the_same_text_at_the_same_place():
    halves = {half for token in (masked(SECRET) for _ in range(100)) for half in (token[:32], token[32:])}
    assert len(halves) == 200
    assert SECRET not in halves


@given(st.integers(0, 63), st.integers(1, 15))
def test_a_token_with_one_other_digit_does_not_match(at, by):
    token = masked(SECRET)
    other = token[:at] + f"{int(token[at], 16) ^ by:x}" + token[at + 1 :]
    assert not matches(SECRET, other)


@given(st.none() | st.integers() | st.text() | st.binary() | st.lists(st.text()) | st.text("0123456789abcdef \n"))
def test_nothing_else_matches_or_raises(token):
    assert matches(SECRET, token) is False


def hostile(token):
    return {
        "empty": "",
        "truncated": token[:-1],
        "half": token[:32],
        "the secret": SECRET,
        "unmasked": "0" * 32 + SECRET[:-1] + ("1" if SECRET[-1] == "0" else "0"),
        "overlong": token + "0",
        "doubled": token * 2,
        "enormous": token * 100_000,
        "with a space": f"{token[:62]}  ",
        "with spaces": token[:20] + " " * 24 + token[44:],
        "full-width digits": "\N{FULLWIDTH DIGIT ONE}" * 64,
        "half a surrogate pair": "\ud800" * 64,
        "no hexadecimal": "g" * 64,
        "bytes": token.encode(),
        "a list": [token],
        "true": True,
    }


@pytest.mark.parametrize("name", hostile(""))
def test_what_is_no_token_is_false(name):
    assert matches(SECRET, hostile(masked(SECRET))[name]) is False


@given(st.binary(min_size=15, max_size=15))
def test_a_token_with_spaces_in_place_of_a_zero_is_false(rest):
    mask = SECRET[:2] + rest.hex()
    pad = f"{int(mask, 16) ^ int(SECRET, 16):032x}"
    assert matches(SECRET, mask + pad)
    assert not matches(SECRET, mask + pad[2:] + "  ")


@pytest.mark.parametrize("secret", ["", "00", "x" * 32, SECRET + "00", SECRET[:-2], "\ud800"], ids=range(6))
def test_a_secret_that_we_did_not_make_matches_nothing(secret):
    assert matches(secret, masked(SECRET)) is False
    assert matches(secret, "0" * 64) is False


# Through the front door

KINDS = {"stored": lambda: {"store": MemoryStore()}, "signed": lambda: {"secret": "a secret of the test"}}


@pytest.fixture(params=KINDS)
def site(request):
    return Site(**KINDS[request.param]())


def token_of(visitor):
    return visitor(lambda session: session.csrf_token).text.strip("'")


def accepts(visitor, token):
    return visitor(lambda session: session.check_csrf_token(token)).text == "True"


def test_every_token_of_a_session_is_good_in_it_and_in_no_other(site):
    visitor, other = site.visitor(), site.visitor()
    tokens = [token_of(visitor) for _ in range(3)]
    foreign = token_of(other)
    assert len({*tokens, foreign}) == 4
    assert all(accepts(visitor, token) for token in tokens)
    assert not any(accepts(other, token) for token in tokens)
    assert not accepts(visitor, foreign)


def test_a_secret_that_nobody_has_read_is_not_made(site):
    visitor = site.visitor()
    answer = visitor(lambda session: [session.check_csrf_token(token) for token in ("", None, masked(SECRET))])
    assert answer.text == "[False, False, False]"
    assert answer.all("Set-Cookie") == []
    assert visitor(everything).text == "{}"


def test_a_login_makes_the_tokens_of_before_worthless(site):
    visitor = site.visitor()
    before = token_of(visitor)
    visitor(lambda session: session.login("ann"))
    assert not accepts(visitor, before)
    after = token_of(visitor)
    assert accepts(visitor, after)
    visitor(lambda session: session.logout())
    assert not accepts(visitor, after)


class Inputs(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_a_form_has_its_token_in_a_hidden_input_that_templates_do_not_escape(site):
    visitor = site.visitor()
    html = visitor(lambda session: [csrf_input(session), csrf_input(session).__html__()]).text
    for page in literal_eval(html):
        [(tag, attributes)] = Inputs(page).found
        token = attributes.pop("value")
        assert (tag, attributes) == ("input", {"type": "hidden", "name": "csrf_token"})
        assert accepts(visitor, token)


class Post:
    """An application that asks `check_csrf`, and answers what it said."""

    def __init__(self, **options):
        self.app = SessionMiddleware(self.serve, **options)
        self.browser = Browser(self.app)

    def serve(self, environ, start_response):
        session = get_session(environ)
        if environ["PATH_INFO"] == "/token":
            said = session.csrf_token
        else:
            said = f"{check_csrf(environ, self.field)} {session.accessed} {environ['wsgi.input'].read().decode()}"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [said.encode()]

    def token(self):
        return self.browser.get("/token").text

    def __call__(self, method="POST", field=None, header=None):
        self.field = field
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if header is not None:
            headers["X-CSRF-Token"] = header
        return self.browser.request("/", method, headers, b"the body").text


@pytest.fixture(params=KINDS)
def post(request):
    return Post(**KINDS[request.param]())


def test_a_request_that_changes_something_needs_a_token_in_its_form_or_in_its_header(post):
    token, foreign = post.token(), masked(SECRET)
    assert post(field=token) == "True True the body"
    assert post(header=token) == "True True the body"
    assert post(field=foreign, header=token) == "True True the body"
    for method in ("POST", "PUT", "PATCH", "DELETE", "post", "get", "PURGE"):
        assert post(method) == "False True the body"
        assert post(method, field=foreign, header=f"{token}, {token}") == "False True the body"
        assert post(method, field=[token], header="") == "False True the body"


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "TRACE"])
def test_a_request_that_changes_nothing_needs_none_and_leaves_the_session_alone(post, method):
    assert post(method) == "True False the body"
    assert post(method, field="x", header="x") == "True False the body"


def test_without_the_layer_the_check_says_what_to_wrap():
    for method in ("GET", "POST"):
        with pytest.raises(LayerMissing, match="SessionMiddleware"):
            check_csrf({"REQUEST_METHOD": method})


def test_while_the_store_is_down_no_token_is_accepted():
    class Down(MemoryStore):
        def get(self, key):
            raise StoreError("down")

    site = Site(store=Down(), on_outage="anonymous")
    use = partial(site.ask, cookie="id=" + "a" * 64)
    assert use(lambda session: session.check_csrf_token(masked(SECRET))).text == "False"
