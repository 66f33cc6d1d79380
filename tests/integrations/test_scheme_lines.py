"""`scheme.1 = ...`: each scheme of the house from a line of a file, with all that its constructor takes."""

from __future__ import annotations

import sys
from functools import wraps
from importlib import import_module

import pytest

from middleware.auth import Htpasswd
from middleware.errors import ConfigurationError
from middleware.integrations.conversion import COUNTS, DURATIONS, SHARES, SIZES, group_of, option_types, places, readers
from middleware.integrations.login_lines import SCHEMES, SOURCES, rule, scheme

SECRET = "a secret of the test, 32 characters"
EXPECTED = object()  # something of the kind that stands behind it


def roles(user):
    return ["staff"]


def is_known(token):
    return None


KEYS = {"keys": []}
ROLES_OF_ISSUERS = {"issuer:CN=Staff CA": ["staff"]}

# scheme: a line, what its constructor is given by place, and what by name
LINES = {
    "basic": ("htpasswd:{here}/users groups={here}/groups realm='The app'", [Htpasswd], {"realm": "The app"}),
    "digest": (
        "htdigest:{here}/digest realm=App secret='{secret}' algorithms=MD5 nonce_lifetime=5m userhash=yes",
        ["Htdigest"],
        {
            "realm": "App",
            "secret": SECRET,
            "algorithms": ["MD5"],
            "nonce_lifetime": 300.0,
            "userhash": True,
        },
    ),
    "bearer": (
        "issuer=https://op.example audience=api,web roles=realm_access,roles leeway=30s jwks_uri=https://op.example/keys",
        [],
        {
            "issuer": "https://op.example",
            "audience": ("api", "web"),
            "roles": ["realm_access", "roles"],
            "leeway": 30.0,
            "jwks_uri": "https://op.example/keys",
        },
    ),
    "apikey": ("apikeys:{here}/keys header=X-Key", ["ApiKeys"], {"header": "X-Key"}),
    "session": (
        "htpasswd:{here}/users login_path=/enter form=no keep=cart,lang remember.days=7 remember.cookie.name=stay",
        [Htpasswd],
        {"login_path": "/enter", "form": False, "keep": ("cart", "lang"), "remember": "RememberMe"},
    ),
    "server": ("roles={module}:roles", [], {"roles": roles}),
    "proxy": (
        "X-Auth-User groups=X-Groups peers=10.0.0.0/8,::1 secret='{secret}'",
        ["X-Auth-User"],
        {"groups": "X-Groups", "peers": ["10.0.0.0/8", "::1"], "secret": SECRET},
    ),
    "certificate": (
        "san:email header=Client-Cert peers=10.0.0.1 roles={module}:ROLES_OF_ISSUERS",
        ["san:email"],
        {"header": "Client-Cert", "peers": ["10.0.0.1"], "roles": ROLES_OF_ISSUERS},
    ),
    "auth_tkt": (
        "secret='{secret}' timeout=30m also_reads=md5,sha256 users=htpasswd:{here}/users cookie.samesite=strict",
        [],
        {
            "secret": SECRET,
            "timeout": 1800.0,
            "also_reads": ["md5", "sha256"],
            "users": Htpasswd,
            "cookie": "CookieOptions",
        },
    ),
    "outer": ("", [], {}),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "site_of_the_lines", sys.modules[__name__])
    (tmp_path / "users").write_text("ann:$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43 + "\n")
    (tmp_path / "groups").write_text("staff: ann\n")
    (tmp_path / "digest").write_text("ann:App:" + "0" * 32 + "\n")
    (tmp_path / "keys").write_text("")
    return tmp_path


def filled(line, here):
    return line.format(here=here, module="site_of_the_lines", secret=SECRET)


def is_as_expected(given, expected):
    if isinstance(expected, type):
        return isinstance(given, expected)
    return given == expected or type(given).__name__ == expected


def test_every_scheme_has_a_line():
    assert LINES.keys() == SCHEMES.keys()


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_what_the_constructor_is_given(here, monkeypatch, name):
    line, by_place, by_name = LINES[name]
    module, _, attribute = SCHEMES[name].partition(":")
    make = getattr(import_module(module), attribute)
    made = []

    @wraps(make, updated=())
    def recorded(*given, **options):
        made.append((given, options))
        return make(*given, **options)

    monkeypatch.setattr(f"{module}.{attribute}", recorded)
    assert isinstance(scheme(f"{name} {filled(line, here)}", where="here"), make)
    ((given, options),) = made
    assert [*map(is_as_expected, given, by_place)] == [True] * len(by_place) == [True] * len(given)
    assert options.keys() == by_name.keys()
    assert [key for key in options if not is_as_expected(options[key], by_name[key])] == []


def one_by_one(option, annotation):
    """The option, or those of its group, each with its type."""
    group = group_of(annotation)
    if group is None:
        return [(option, annotation)]
    return [pair for inner in option_types(group).items() for pair in one_by_one(*inner)]


@pytest.mark.parametrize("name", SCHEMES)
def test_every_option_of_a_scheme_can_be_read_from_text_and_has_its_unit(name):
    module, _, attribute = SCHEMES[name].partition(":")
    make = getattr(import_module(module), attribute)
    for option, annotation in {**places(make), **option_types(make)}.items():
        if any(kind in annotation for kind in SOURCES):
            continue
        for key, kind in one_by_one(option, annotation):
            assert readers(key, kind), key
            if {"int", "float"} & {word.strip() for word in kind.split("|")}:
                assert key in DURATIONS | SIZES | COUNTS | SHARES, key


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("basik htpasswd:{here}/users", "here: there is no scheme 'basik'; did you mean 'basic'?"),
        ("basic htpasswd:{here}/users relm=x", "here: there is no option 'relm'; did you mean 'realm'?"),
        ("basic htpasswd:{here}/users group=x", "here: there is no option 'group'; did you mean 'groups'?"),
        ("basic", "here: a scheme has one source of users or keys, as in basic htpasswd:%(here)s/file"),
        ("basic htpasswd:{here}/users twice", "; 'twice' means nothing"),
        ("basic htpasswd:{here}/nowhere", "here: Htpasswd cannot read"),
        ("basic nobody:USERS", "here: No module named 'nobody'"),
        ("basic x", "here: 'x' is no source of users or keys: write htpasswd:%(here)s/file, or package.module:name"),
        ("server X-User", "here: server has options alone, such as roles=; 'X-User' means nothing"),
        ("outer X-User", "here: outer stands alone; 'X-User' means nothing"),
        ("digest htpasswd:{here}/users", "here: htpasswd: is for another scheme, here write htdigest:%(here)s/file"),
        ("apikey htpasswd:{here}/users", "here: htpasswd: is for another scheme, here write apikeys:%(here)s/file"),
        ("proxy", "here: behind proxy stands one word, the user="),
        ("proxy X-User", "here: "),
        ("proxy X-User peers=1.2.3.4 secrets=x", "here: there is no option 'secrets'; did you mean 'secret'?"),
        ("certificate initials", "here: user_from= is one of"),
        ("certificate cn require_verify=perhaps", "here: require_verify is 'perhaps', expected true or false"),
        ("session htpasswd:{here}/users login_path=enter", "here: "),
        ("basic htpasswd:{here}/users realm=a realm=b", "here: realm is given twice"),
        ("basic 'htpasswd:{here}/users", "here: No closing quotation"),
        ("proxy X-User peers=10.0.0.1 secret=", "here: secret= is empty: leave it out, or write a value"),
        ("proxy X-User peers=10.0.0.1 secret=' '", "here: secret= is empty"),
    ],
)
def test_a_line_that_means_nothing_says_so(here, line, told):
    with pytest.raises(ConfigurationError) as caught:
        scheme(filled(line, here), where="here")
    assert told in str(caught.value)


@pytest.mark.parametrize("option", ["role", "user", "scope", "schemes", "methods", "fresh", "check"])
@pytest.mark.parametrize("text", ["", "''", ",", "none", "None"])
def test_a_rule_loses_no_test_by_an_empty_option(option, text):
    with pytest.raises(ConfigurationError, match=f"^here: {option}="):
        rule(f"require /admin {option}={text}", where="here")


@pytest.mark.parametrize("paths", ["/admin,/x", "/admin,=/x", "/x =/admin,/y"])
def test_commas_between_paths_make_no_path(paths):
    with pytest.raises(ConfigurationError, match="blanks separate paths"):
        rule(f"require {paths} role=admin", where="here")


@pytest.mark.parametrize(
    "line",
    [
        "proxy X-User secret=some hunter2",
        "proxy X-User secret='hunter2",
        "certificate cn header=Client-Cert secret=hunter2",
        "auth_tkt secret=hunter2 timeout=soon",
        "auth_tkt secret=hunter2 timeouts=1m",
    ],
)
def test_a_secret_of_a_line_is_in_no_message(line):
    with pytest.raises(ConfigurationError) as caught:
        scheme(line, where="here")
    assert "hunter2" not in str(caught.value)


def test_a_secret_that_is_renewed_stands_on_two_lines():
    from middleware.integrations.conversion import read_option
    from middleware.integrations.login_lines import _split

    _, options = _split(f'proxy X-User secret="\n{SECRET}\nnew {SECRET}" peers=10.0.0.1', "here")
    assert read_option("secret", options["secret"], "Secret | None", where="here") == [SECRET, f"new {SECRET}"]
    assert scheme(f'proxy X-User secret="{SECRET}\nnew {SECRET}"', where="here").name == "proxy"


def test_a_scheme_of_the_sites_own_source_is_found_by_its_name(here, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PEOPLE", {"ann": (here / "users").read_text().strip().partition(":")[2]})
    made = scheme("basic site_of_the_lines:PEOPLE", where="here")
    assert made.name == "basic"


PEOPLE = {}
