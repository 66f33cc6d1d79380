"""Signed and sealed cookies of the jar: what comes back, and that nothing else does. C23 to C27 of the catalogue."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path

import pytest
from asking import Browser, ask
from cookies.kit import OLDER, SECRET, serve, used
from itsdangerous import URLSafeTimedSerializer

import middleware
from middleware.cookies import CookieMiddleware
from middleware.errors import ConfigurationError, CookieTooLarge, MissingExtra
from middleware.signing import Sealer, Signer, salt_for

SETTERS = {
    "signed": lambda jar, name, text: jar.set_signed(name, text),
    "sealed": lambda jar, name, text: jar.set_sealed(name, text),
}
GETTERS = {
    "signed": lambda jar, name, **age: jar.get_signed(name, **age),
    "sealed": lambda jar, name, **age: jar.get_sealed(name, **age),
}
both = pytest.mark.parametrize("kind", ["signed", "sealed"])


def made(kind, text="7", name="a", secret=SECRET, **options):
    """The value that a cookie gets."""
    answer = used(lambda jar: SETTERS[kind](jar, name, text), secret=secret, seal=True, **options)
    return answer.all("Set-Cookie")[0].partition(";")[0].partition("=")[2]


def opened(kind, value, name="a", secret=SECRET, max_age=None, **options):
    """What the jar finds in a cookie with this value."""
    found = []
    use = lambda jar: found.append(GETTERS[kind](jar, name, max_age=max_age))  # noqa: E731
    assert used(use, f"{name}={value}", secret=secret, seal=True, **options).code == 200
    return found[0]


@both
@pytest.mark.parametrize("text", ["", "7", "grüße; ☃", "\0\r\n", "x" * 2000])
def test_any_text_comes_back(kind, text):
    browser = Browser(
        serve(lambda jar: GETTERS[kind](jar, "a") or SETTERS[kind](jar, "a", text), secret=SECRET, seal=True)
    )
    browser.get()
    assert browser.get().text == repr(text or None)
    assert opened(kind, made(kind, text)) == text


@both
def test_a_text_is_read_at_once_by_the_request_that_sets_it(kind):
    def use(jar):
        SETTERS[kind](jar, "a", "7")
        return GETTERS[kind](jar, "a")

    assert used(use, secret=SECRET, seal=True).text == "'7'"


def test_a_sealed_text_cannot_be_read_and_equal_texts_look_different():
    texts = {made("sealed", "a text that is to be seen nowhere") for _ in range(10)}
    assert len(texts) == 10
    assert not any("text" in text for text in texts)


@both
def test_a_tampered_value_is_absent(kind):
    value = made(kind, "some text")
    places = [0, 2, 5, len(value) // 2, len(value) - 5, len(value) - 1]
    wrong = [value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :] for at in places]
    wrong += [value[:-1], value[: len(value) // 2], value + "A", value + value]
    assert len(wrong) == 10
    assert [text for text in wrong if opened(kind, text) is not None] == []


@both
def test_a_value_under_another_name_is_absent(kind):
    assert opened(kind, made(kind), name="b") is None
    assert opened(kind, made(kind, name="ab"), name="a") is None


@both
def test_the_oldest_acceptable_value_is_said_by_the_reader(kind):
    value = made(kind, clock=lambda: 1000)
    assert opened(kind, value, max_age=60, clock=lambda: 1060) == "7"
    assert opened(kind, value, max_age=60, clock=lambda: 1061) is None
    assert opened(kind, value, max_age=60, clock=lambda: 100) is None
    assert opened(kind, value, max_age=float("nan"), clock=lambda: 1000) is None
    assert opened(kind, value, clock=lambda: 10**9) == "7"


@both
def test_the_newest_secret_makes_and_all_open_and_a_removed_one_does_not(kind):
    assert opened(kind, made(kind, secret=OLDER), secret=[OLDER, SECRET]) == "7"
    assert opened(kind, made(kind, secret=[OLDER, SECRET]), secret=SECRET) == "7"
    assert opened(kind, made(kind, secret=[OLDER, SECRET]), secret=OLDER) is None
    assert opened(kind, made(kind, secret=OLDER), secret=SECRET) is None


@both
def test_of_several_cookies_the_first_that_we_made_counts_and_eight_are_tried(kind):
    value = made(kind)
    assert opened(kind, f"x; a={value}") == "7"
    assert opened(kind, "; a=".join(["x"] * 7 + [value])) == "7"
    assert opened(kind, "; a=".join(["x"] * 8 + [value])) is None


@both
def test_a_value_in_a_weaker_or_older_form_is_absent(kind):
    salt = salt_for("cookie", "a")
    sha1 = URLSafeTimedSerializer(SECRET, salt=salt)
    sha512 = URLSafeTimedSerializer(SECRET, salt=salt, signer_kwargs={"digest_method": hashlib.sha512})
    weaker = [
        "7",
        json.dumps("7"),
        "Ijci",
        sha1.dumps("7"),
        sha512.dumps("7"),
        Signer(SECRET, salt="a").sign(b'"7"'),
        Signer(SECRET, salt=salt_for("session", "a")).sign(b'"7"'),
        Sealer(SECRET, salt="a").seal(b"7"),
        Sealer(SECRET, salt=salt_for("session", "a")).seal(b"7"),
        made("signed" if kind == "sealed" else "sealed"),
    ]
    assert [value for value in weaker if opened(kind, value) is not None] == []


@both
@pytest.mark.parametrize("payload", [b"\xff", b"[1]", b"7", b"[" * 3000])
def test_what_we_made_but_not_of_a_text_is_absent(kind, payload):
    salt = salt_for("cookie", "a")
    value = Signer(SECRET, salt=salt).sign(payload) if kind == "signed" else Sealer(SECRET, salt=salt).seal(payload)
    assert opened(kind, value) in (None, payload.decode("latin-1") if kind == "sealed" and payload != b"\xff" else None)


@both
@pytest.mark.parametrize("value", [5, None, b"x", ["x"]])
def test_what_is_no_text_would_not_come_back_and_is_refused(kind, value):
    def attempt(jar):
        with pytest.raises(TypeError, match="text"):
            SETTERS[kind](jar, "a", value)

    assert used(attempt, secret=SECRET, seal=True).all("Set-Cookie") == []


@both
def test_what_does_not_fit_into_a_cookie_is_refused(kind):
    def attempt(jar):
        SETTERS[kind](jar, "a", "x" * 2900)
        with pytest.raises(CookieTooLarge, match="4096"):
            SETTERS[kind](jar, "a", "x" * 3100)
        with pytest.raises(ValueError):
            SETTERS[kind](jar, "a", "\ud800")
        with pytest.raises(ValueError):
            SETTERS[kind](jar, "a b", "x")

    assert len(used(attempt, secret=SECRET, seal=True).all("Set-Cookie")) == 1


def test_attributes_are_those_of_every_cookie():
    answer = ask(
        serve(lambda jar: jar.set_sealed("a", "7", max_age=60, path="/x", samesite="Strict"), secret=SECRET, seal=True)
    )
    assert answer.all("Set-Cookie")[0].partition("; ")[2] == "Max-Age=60; Path=/x; HttpOnly; SameSite=Strict"


def test_itsdangerous_reads_a_signed_cookie():
    serializer = URLSafeTimedSerializer(
        SECRET, salt=salt_for("cookie", "a"), signer_kwargs={"digest_method": hashlib.sha256}
    )
    assert serializer.loads(made("signed")) == "7"
    assert opened("signed", serializer.dumps("7")) == "7"
    assert opened("signed", serializer.dumps({"no": "text"})) is None


# Construction


@pytest.mark.parametrize(
    ("options", "use", "cure"),
    [
        ({}, lambda jar: jar.get_signed("a"), "secret="),
        ({}, lambda jar: jar.set_signed("a", "7"), "secret="),
        ({"secret": SECRET}, lambda jar: jar.get_sealed("a"), "seal=True"),
        ({"secret": SECRET}, lambda jar: jar.set_sealed("a", "7"), "seal=True"),
    ],
)
def test_what_was_not_asked_for_is_an_error_that_says_how(options, use, cure):
    def attempt(jar):
        with pytest.raises(ConfigurationError, match=cure):
            use(jar)
        return "refused"

    assert used(attempt, **options).text == "'refused'"


def test_sealing_needs_a_secret_and_its_package_at_construction(monkeypatch):
    with pytest.raises(ConfigurationError, match="secret"):
        CookieMiddleware(lambda *_: [], seal=True)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    CookieMiddleware(lambda *_: [], secret=SECRET)
    with pytest.raises(MissingExtra, match=r"wsgi-middleware\[crypto\]"):
        CookieMiddleware(lambda *_: [], secret=SECRET, seal=True)


def test_what_is_secret_is_compared_in_constant_time_only():
    house = Path(middleware.__file__).parent
    for name in ("signing.py", "timestamp_signer.py", "cookies/signed.py"):
        tree = ast.parse((house / name).read_text(encoding="utf-8"))
        compared = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        ]
        # The one there is looks at the first byte of what has been verified.
        assert len(compared) == (1 if name == "timestamp_signer.py" else 0), name
    assert "compare_digest" in (house / "timestamp_signer.py").read_text(encoding="utf-8")
