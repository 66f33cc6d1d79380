"""What an Authorization field of Digest holds, through the front door: DIG-7, DIG-9, and the rows of BAS-5."""

from __future__ import annotations

import pytest
from asking import ask
from auth_helpers import basic, stored
from digest_client import PASSWORDS, Client, digest, protected

from middleware.auth import Basic, optional


@pytest.fixture
def app():
    return protected()


@pytest.fixture
def client(app):
    return Client(app)


# DIG-7


@pytest.mark.parametrize(
    ("asked", "uri", "code"),
    [
        ({"PATH_INFO": "/"}, "/", 200),
        ({"PATH_INFO": "/admin"}, "/", 400),
        ({"PATH_INFO": "/"}, "/admin", 400),
        ({"PATH_INFO": "/admin"}, "/admin", 200),
        ({"PATH_INFO": "/admin"}, "/%61dmin", 200),
        ({"PATH_INFO": "/admin"}, "/%2561dmin", 400),
        ({"PATH_INFO": "/a/b"}, "/a%2Fb", 200),
        ({"PATH_INFO": "/admin"}, "/admin/", 400),
        ({"PATH_INFO": "/admin"}, "/Admin", 400),
        ({"PATH_INFO": "/admin"}, "//admin", 200),
        ({"PATH_INFO": "/admin"}, "/a/../admin", 400),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": "/x"}, "/app/x", 200),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": "/x"}, "/x", 400),
        ({"SCRIPT_NAME": "/app", "PATH_INFO": ""}, "/app", 200),
        ({"PATH_INFO": "/", "QUERY_STRING": "a=1&b=%2F"}, "/?a=1&b=%2F", 200),
        ({"PATH_INFO": "/", "QUERY_STRING": "a=1&b=%2F"}, "/?a=1&b=/", 400),
        ({"PATH_INFO": "/", "QUERY_STRING": "a=1"}, "/", 400),
        ({"PATH_INFO": "/", "QUERY_STRING": ""}, "/?a=1", 400),
        ({"PATH_INFO": "/", "QUERY_STRING": ""}, "/?", 200),
        ({"PATH_INFO": "/", "QUERY_STRING": "a?b"}, "/?a?b", 200),
        ({"PATH_INFO": "/j\xc3\xa4"}, "/j%C3%A4", 200),
        ({"PATH_INFO": "/j\xc3\xa4"}, "/jä", 200),
        ({"PATH_INFO": "/j\xc3\xa4"}, "/j%E4", 400),
        ({"PATH_INFO": "/x"}, "http://site.example/x", 200),
        ({"PATH_INFO": "/x"}, "HTTP://Site.Example:80/x", 200),
        ({"PATH_INFO": "/", "QUERY_STRING": "a"}, "http://site.example?a", 200),
        ({"PATH_INFO": "/", "QUERY_STRING": "a"}, "http://site.example/?a", 200),
        ({"PATH_INFO": "/x"}, "http://other.example/x", 400),
        ({"PATH_INFO": "/x"}, "http://site.example:8080/x", 400),
        ({"PATH_INFO": "/x"}, "http://ann@site.example/x", 400),
        ({"PATH_INFO": "/x"}, "ftp://site.example/x", 400),
        ({"PATH_INFO": "/x"}, "http:///x", 400),
        ({"PATH_INFO": "/x"}, "x", 400),
        ({"PATH_INFO": "/x"}, "*", 400),
        ({"PATH_INFO": "/x"}, "%", 400),
        ({"PATH_INFO": "/%zz"}, "/%zz", 200),
        ({"PATH_INFO": "/x", "HTTP_HOST": "", "SERVER_NAME": "site.example", "SERVER_PORT": "80"},
         "http://site.example/x", 200),
    ],
)  # fmt: skip
def test_the_uri_is_the_target_of_the_request(app, asked, uri, code):
    client = Client(app)
    environ = {"HTTP_HOST": "site.example", **asked}
    answer = ask(app, HTTP_AUTHORIZATION=client.field(uri=uri), **environ)
    assert answer.code == code
    assert answer.code == 200 or not answer.all("WWW-Authenticate")


@pytest.mark.parametrize("path", ["//admin", "///admin"])
def test_slashes_that_a_server_leaves_at_the_beginning_count_as_one(app, path):
    field = Client(app).field(uri="/admin")
    assert ask(app, HTTP_AUTHORIZATION=field, PATH_INFO=path).code == 200


def test_the_method_is_a_part_of_the_proof(app):
    client = Client(app)
    field = client.field(method="GET")
    assert ask(app, method="POST", HTTP_AUTHORIZATION=field).code == 401
    assert ask(app, method="HEAD", HTTP_AUTHORIZATION=field).code == 401
    assert ask(app, method="GET", HTTP_AUTHORIZATION=field).code == 200
    assert client.get(2, method="POST").code == 200


# DIG-9: names and quotes


@pytest.mark.parametrize(
    "username",
    ['"j\xc3\xa4s\xc3\xb8n"', '"j\xe4s\xf8n"', '"\\j\xc3\xa4\\s\xc3\xb8n"'],
    ids=["utf-8", "latin-1", "escaped"],
)
def test_a_name_is_read_in_whatever_form_it_comes(app, username):
    client = Client(app, "jäsøn", PASSWORDS["jäsøn"])
    field = client.field().replace('"j\xc3\xa4s\xc3\xb8n"', username)
    assert ask(app, HTTP_AUTHORIZATION=field).text == "jäsøn jäsøn Digest"


@pytest.mark.parametrize("value", ["UTF-8''j%C3%A4s%C3%B8n", "utf-8'de'%6A%c3%a4s%C3%B8n"])
def test_an_extended_name_is_read(app, value):
    client = Client(app, "jäsøn", PASSWORDS["jäsøn"])
    assert client.get(**{"username": None, "username*": value}).text == "jäsøn jäsøn Digest"


@pytest.mark.parametrize(
    "value",
    ["j%C3%A4s%C3%B8n", "UTF-8'j", "ISO-8859-1''j%E4s%F8n", "UTF-8''%E4", "UTF-8''%C3%A", "UTF-8''", "UTF-8''a'b"],
)
def test_what_is_no_extended_name_is_malformed(app, value):
    assert Client(app).get(**{"username": None, "username*": value}).code == 400


def test_quotes_and_backslashes_in_a_name_are_read(app):
    assert Client(app, 'o"hara', "back\\slash").get().text == 'o"hara o"hara Digest'


def test_parameters_come_in_any_order_quoted_or_not(app):
    client = Client(app)
    given = client.parameters()
    assert ask(app, HTTP_AUTHORIZATION="digest " + ",".join(f"{n}={v}" for n, v in given.items())).code == 200
    given = dict(reversed(client.parameters(2).items()))
    field = "DIGEST  ," + " ,\t, ".join(f'{name.upper()} =\t"{value}"' for name, value in given.items()) + ","
    assert ask(app, HTTP_AUTHORIZATION=field).code == 200


# BAS-5, the rows of Digest, T10


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("Digest", 400),
        ("Digest ", 400),
        ('Digest ,,,=,"', 400),
        ('Digest username="ann', 400),
        ('Digest username="ann\\', 400),
        ("Digest username", 400),
        ("Digest username=", 400),
        ('Digest username="", realm="", nonce="", uri="", response=""', 400),
        ("Digest\tusername=ann", 400),
        ("Digest,username=ann", 400),
        ("Digest ☃", 400),
        ("Digest \udcff", 400),
        ('Digest username="a\0"', 400),
        ("Digest " + "a" * 8200, 401),
        ("Digest " + "," * (1 << 20), 401),
        ("Digest " + "," * 8000, 400),
        ('Digest u="' + "\\" * 8000, 400),
        ("Digest " + ", ".join(f"a{number}=1" for number in range(500)), 400),
        ("Digesting username=ann", 200),
        ("Digest-2 username=ann", 200),
        ("Negotiate YII=", 200),
        ("", 200),
        (" ", 200),
        ("Bäsic x", 200),
        ("Basic eDp5, Digest username=x", 400),
        ("Basic eDp5, digest\tusername=x", 400),
        ('Bearer x="Digest , Digest y"', 200),
        ("Bearer " + "Digest ," * 3000, 200),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_field_is_read_or_refused_and_never_fails(field, code):
    app = protected(rules=[optional("/")])
    assert ask(app, HTTP_AUTHORIZATION=field).code == code


@pytest.mark.parametrize(
    "change",
    [
        lambda field: field + ', nc="00000002"',
        lambda field: field + ", NC=00000001",
        lambda field: field + ", " + field,
        lambda field: field + ", Basic eDp5",
        lambda field: field + ", Basic eDp5eA==",
        lambda field: field + ", Negotiate",
        lambda field: field + ", username*=UTF-8''ann",
        lambda field: field + ', userhash="maybe"',
        lambda field: field + " x",
        lambda field: field.replace('cnonce="0a4f113b"', 'cnonce=""'),
        lambda field: field.replace('response="', 'response="0'),
        lambda field: field.replace('response="', 'response="x')[:-2] + '"',
    ],
    ids=range(12),
)
def test_good_credentials_with_more_than_belongs_there_are_malformed(app, change):
    client = Client(app)
    assert ask(app, HTTP_AUTHORIZATION=change(client.field())).code == 400
    assert client.get().code == 200


@pytest.mark.parametrize("schemes", ["digest first", "basic first"])
def test_two_credentials_in_one_field_are_refused_by_whichever_scheme_is_asked_first(schemes):
    both = [digest(), Basic({"ann": stored("apple")})]
    app = protected(both if schemes == "digest first" else both[::-1])
    mine, other = Client(app).field(), basic()["Authorization"]
    assert ask(app, HTTP_AUTHORIZATION=f"{mine}, {other}").code == 400
    assert ask(app, HTTP_AUTHORIZATION=f"{other}, {mine}").code == 400
