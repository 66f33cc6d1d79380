"""What no line tells, whatever format makes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network

import pytest
from asking import ask
from hypothesis import given, settings
from hypothesis import strategies as st

from middleware.errors import ConfigurationError
from middleware.logging import JsonFormat, LoggingMiddleware
from middleware.logging.privacy import HEADERS, MASK, PARAMETERS, Privacy, unquoted

SECRET = "s3cr3t"
KEY = "a key for addresses, 32 letters."
NOON = 1795262400.0  # 21 November 2026, 12:00 UTC
DAY = 86400

privacy = Privacy()


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\n"]


def redirect(environ, start_response):
    start_response(
        "303 See Other",
        [
            ("Location", f"https://ann:{SECRET}@app.test/next?a=1&code={SECRET}#access_token={SECRET}&x=2"),
            ("Content-Location", f"/next?sig={SECRET}"),
            ("Refresh", f"0; url=https://app.test/next?sig={SECRET}"),
            ("Link", f'<https://app.test/a?token={SECRET}>; rel="next"'),
            *((name, SECRET) for name in HEADERS),
        ],
    )
    return [b""]


def line_of(form, app=hello, *, hide=privacy, path="/", clock=lambda: NOON, **request):
    lines = []
    ask(LoggingMiddleware(app, format=form, sink=lines.append, privacy=hide, clock=clock), path, **request)
    (line,) = lines
    return line


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_default_name_is_masked(name):
    assert privacy.query(f"a=1&{name}={SECRET}&b=2") == f"a=1&{name}=***&b=2"


@pytest.mark.parametrize(
    "name",
    [
        *("Token", "TOKEN", "%74oken", "%54oke%6E", "user[password]", "user%5Bpassword%5D", "api-key", "API_KEY"),
        *("x_amz_signature", "X-Amz-Signature", "token[]", "token[0]", "a[b][token]", " token", "+token", "token%20"),
        *("token%00", "user[%70assword]", "accessToken", "client-Secret", "_token", "user[apiKey]"),
        "a" * 64 + "[idToken]",
    ],
)
def test_a_name_counts_however_it_is_written(name):
    assert privacy.query(f"{name}={SECRET}") == f"{name}=***"


@pytest.mark.parametrize("name", ["tokens", "monkey", "id", "keyed", "a[b]", "token[name]", "%2574oken", "to%ken", ""])
def test_a_name_that_only_looks_alike_does_not_count(name):
    assert privacy.query(f"{name}=value") == f"{name}=value"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("id=1&token=s3cr3t&x=%20", "id=1&token=***&x=%20"),
        ("token=a;id=1;code=b", "token=***;id=1;code=***"),
        ("token=", "token=***"),
        ("token", "token"),
        ("token=a=b?c=d#e", "token=***"),
        ("token=%zz%", "token=***"),
        ("&&a=%zz&=&b", "&&a=%zz&=&b"),
        ("token=a&token=b", "token=***&token=***"),
        ("next=/reset?token=a&x=1", "next=/reset?token=***&x=1"),
        ("next=%2Freset%3Ftoken%3Dabc&x=1", "next=***&x=1"),
        ("next=%252Freset%253Ftoken%253Dabc&x=1", "next=***&x=1"),
        ("next=%2Fa%3Fpage%3D2&x=1", "next=%2Fa%3Fpage%3D2&x=1"),
        ("token%3Dabc", "***"),
        ("a=token&b=code&c=x", "a=token&b=code&c=x"),
        ("q=a+b&utm-source=x&caf\xc3\xa9=1", "q=a+b&utm-source=x&caf\xc3\xa9=1"),
        ("", ""),
    ],
)
def test_only_the_whole_value_of_a_secret_is_masked(query, shown):
    assert privacy.query(query) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/", "/"),
        ("*", "*"),
        ("/a?page=2", "/a?page=2"),
        ("/@ann/posts?page=2", "/@ann/posts?page=2"),
        ("/caf%C3%A9?page=2", "/caf%C3%A9?page=2"),
        ("/a?token=s3cr3t", "/a?token=***"),
        ("/a;token=s3cr3t/b;v=1?c=d", "/a;token=***/b;v=1?c=d"),
        ("/token=s3cr3t/b", "/token=***/b"),
        ("/a%3Ftoken=s3/cr3t", "/a%3Ftoken=***"),
        ("/a%3Ftoken%3Ds3cr3t", "/a%3F***"),
        ("/cb#access_token=s3cr3t&expires_in=5", "/cb#access_token=***&expires_in=5"),
        ("https://ann:pw@app.test/a?x=1", "https://***@app.test/a?x=1"),
        ("https://ann@app.test", "https://***@app.test"),
        ("https://ann:p@w@app.test/@b", "https://***@app.test/@b"),
        ("//ann:pw@app.test/a", "//***@app.test/a"),
        ("ann:pw@app.test:443", "***@app.test:443"),
        ("https://app.test?token=s3cr3t", "https://app.test?token=***"),
        ("android-app://com.example/?code=s3cr3t", "android-app://com.example/?code=***"),
    ],
)
def test_a_url_is_masked_from_its_user_to_its_fragment(url, shown):
    assert privacy.url(url) == shown


def test_the_names_can_be_extended_and_replaced():
    more = Privacy(and_parameters=["jsessionid", "p\xe4ssword", "a:b"])
    assert more.url("/a;jsessionid=1?token=2&x=3") == "/a;jsessionid=***?token=***&x=3"
    shown = "p%C3%A4ssword=***&p%c3%84ssword=***&p\xc3\xa4ssword=***"
    assert more.query("p%C3%A4ssword=1&p%c3%84ssword=2&p\xc3\xa4ssword=3") == shown
    assert more.query("a:b=1") == "a:b=***"
    others = Privacy(parameters=["ticket"])
    assert others.query("ticket=1&token=2") == "ticket=***&token=2"
    none = Privacy(parameters=[], headers=[], cookies=[])
    assert none.query("token=2") == "token=2"
    assert none.header("Authorization", "Basic x") == "Basic x"
    assert none.cookie("session", "x") == "x"


EVERYWHERE = (
    '"%r" "%q" "%U" "%{Referer}i" "%{Location}o" "%{QUERY_STRING}e" "%{RAW_URI}e" "%{REQUEST_URI}e" "%{HTTP_REFERER}e"'
    ' "%{X-Original-URL}i" "%{HTTP_X_ORIGINAL_URL}e" "%{REDIRECT_URL}e" "%{REDIRECT_QUERY_STRING}e" "%>r"'
    ' "%<{HTTP_REFERER}e"'
    ' "%{Content-Location}o" "%{Refresh}o" "%{Link}o" "%{PATH_INFO}e" "%{X-Forwarded-Host}i" "%{HTTP_HOST}e" "%V"'
)
SECRET_REQUEST = {
    "path": "/reset;token=" + SECRET,
    "QUERY_STRING": f"id=1&token={SECRET}",
    "RAW_URI": f"/reset;token={SECRET}?id=1&token={SECRET}",
    "REQUEST_URI": f"http://ann:{SECRET}@app.test/reset?id=1&token={SECRET}",
    "REDIRECT_URL": f"/reset?id=1&token={SECRET}",
    "REDIRECT_QUERY_STRING": f"id=1&token={SECRET}",
    "HTTP_REFERER": f"https://ann:{SECRET}@app.test/cb?state={SECRET}",
    "HTTP_X_ORIGINAL_URL": f"/reset?id=1&token={SECRET}",
    "HTTP_X_FORWARDED_HOST": f"ann:{SECRET}@app.test",
    "HTTP_HOST": f"ann:{SECRET}@app.test",
}


def fields_of(record):
    return " ".join(
        map(
            str,
            [
                *(record.target, record.path, record.query, record.referrer, record.header("Location")),
                *(record.entry(key) for key in record.request if isinstance(record.request[key], str)),
                *(record.environ_entry(key) for key in record.environ),
                *(record.header(name) for name, _ in record.headers),
                *(record.request_header(name) for name in HEADERS),
            ],
        )
    )


FORMS = {
    "everywhere": EVERYWHERE,
    "common": "common",
    "combined": "combined",
    "extended": "extended",
    "json": "json",
    "otel": JsonFormat("otel"),
    "own json": JsonFormat({f"field{at}": text.strip('"') for at, text in enumerate(EVERYWHERE.split())}),
    "more json": JsonFormat("ecs", extra={"to": "%{Location}o", "from": "%{Referer}i"}),
    "logfmt": "logfmt",
    "function": fields_of,
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@every_form
@pytest.mark.parametrize("raw_uri", [SECRET_REQUEST["RAW_URI"], ""])
def test_the_secret_is_in_no_line(form, raw_uri):
    headers = dict.fromkeys(HEADERS, SECRET)
    line = line_of(form, redirect, headers=headers, **{**SECRET_REQUEST, "RAW_URI": raw_uri})
    assert SECRET not in line
    assert MASK in line
    shown = line_of(form, redirect, hide=None, headers=headers, **{**SECRET_REQUEST, "RAW_URI": raw_uri})
    assert SECRET in shown


@pytest.mark.parametrize("form", ["json", FORMS["otel"]], ids=["ecs", "otel"])
def test_what_an_error_says_tells_no_secret(form):
    def failing(environ, start_response):
        raise LookupError(f"no page at 'https://a.test/b?token={SECRET}', code={SECRET}")

    lines = []
    with pytest.raises(LookupError):
        ask(LoggingMiddleware(failing, format=form, sink=lines.append))
    assert SECRET not in lines[0]
    assert "no page at 'https://a.test/b?token=***', code=***" in lines[0]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"connect postgres://app:{SECRET}@db/x failed", "connect postgres://***@db/x failed"),
        (f"('https://ann:{SECRET}/{SECRET}?{SECRET}@h/', 5)", "('https://***@h/', 5)"),
        (f"at https://ann:a,({SECRET}@h/;x", "at https://***@h/;x"),
        ("mail ann@a.test // or //a.test/", "mail ann@a.test // or //a.test/"),
    ],
)
def test_what_an_error_says_tells_no_password_of_a_url(said, shown):
    def failing(environ, start_response):
        raise LookupError(said)

    lines = []
    with pytest.raises(LookupError):
        ask(LoggingMiddleware(failing, format="json", sink=lines.append))
    assert SECRET not in lines[0]
    assert json.loads(lines[0])["error.message"] == shown
    assert f"LookupError: {shown}\n" in json.loads(lines[0])["error.stack_trace"]


@pytest.mark.parametrize("ending", ["", "\nlast line"])
def test_an_error_that_quotes_a_whole_request_costs_no_seconds(ending):
    def failing(environ, start_response):
        raise LookupError(f"token={SECRET * 1_000_000}{ending}")

    lines = []
    began = time.perf_counter()
    with pytest.raises(LookupError):
        ask(LoggingMiddleware(failing, format="json", sink=lines.append))
    assert time.perf_counter() - began < 1
    assert SECRET not in lines[0]
    assert json.loads(lines[0])["error.message"] == "token=***"
    assert json.loads(lines[0])["error.stack_trace"] == (f"...{ending[1:]}\n" if ending else "...")


def test_the_record_of_a_logger_holds_no_secret(caplog):
    caplog.set_level("INFO", logger="middleware.access")
    ask(LoggingMiddleware(redirect), **SECRET_REQUEST)
    (record,) = caplog.records
    assert SECRET not in record.getMessage() + json.dumps(record.access)


@every_form
@pytest.mark.parametrize("before", range(2030, 2060, 3))
def test_a_secret_across_the_border_of_a_cut_is_masked_before(form, before):
    query = "a=" + "x" * (before - 20) + f"&token={SECRET * 9}"
    line = line_of(
        form, path="/?" + query, HTTP_REFERER="https://a.test/?b=" + "x" * (before // 2 - 20) + f"&code={SECRET}"
    )
    assert SECRET[:3] not in line


def test_a_path_with_two_slashes_is_no_host():
    hide = Privacy(path=lambda path: re.sub("/reset/[^/]+", "/reset/***", path))
    for raw_uri in (f"//reset/{SECRET}?a=1&token={SECRET}", ""):
        request = {"RAW_URI": raw_uri, "REQUEST_URI": raw_uri, "PATH_INFO": f"//reset/{SECRET}"}
        request |= {"QUERY_STRING": f"a=1&token={SECRET}"}
        line = line_of('"%r" "%U" "%{RAW_URI}e"', hide=hide, **request)
        assert SECRET not in line
        assert '"GET //reset/***?a=1&token=*** HTTP/1.0" "//reset/***"' in line
        assert SECRET not in line_of("json", hide=hide, **request)
    assert hide.url(f"//ann:pw@a.test/reset/{SECRET}") == "//***@a.test/reset/***"
    assert hide.url(f"//a.test/reset/{SECRET}") == "//a.test/reset/***"
    assert hide.url("//a.test/b%20c") == "//a.test/b%20c"


@pytest.mark.parametrize("name", HEADERS)
def test_five_fields_are_masked_by_every_directive(name):
    key = name.upper().replace("-", "_")
    form = f'"%{{{name}}}i" "%{{{name.lower()}}}o" "%{{HTTP_{key}}}e" "%<{{REDIRECT_HTTP_{key}}}e"'
    line = line_of(form, redirect, headers={name: SECRET}, **{f"REDIRECT_HTTP_{key}": SECRET})
    assert line == '"***" "***" "***" "***"'


def test_a_referrer_and_a_browser_can_be_masked_too():
    hide = Privacy(headers=["Referer", "User-Agent", "Content-Type"])
    headers = {"Referer": "https://a.test/", "User-Agent": "Browser", "Content-Type": "text/plain"}
    assert line_of("combined", hide=hide, headers=headers).endswith('"***" "***"')
    assert line_of('"%{Referer}i" "%{HTTP_USER_AGENT}e" "%{CONTENT_TYPE}e"', hide=hide, headers=headers) == (
        '"***" "***" "***"'
    )


@pytest.mark.parametrize("rest", [f"&token={SECRET}", SECRET])
def test_a_secret_that_a_server_takes_for_the_protocol_is_masked(rest):
    request = {"REQUEST_URI": "/?token=a", "QUERY_STRING": "token=a", "SERVER_PROTOCOL": f"{rest} HTTP/1.1"}
    line = line_of('"%r" "%H" "%{SERVER_PROTOCOL}e" "%<{SERVER_PROTOCOL}e"', **request)
    assert SECRET not in line
    assert line.endswith('"HTTP/1.1" "*** HTTP/1.1" "*** HTTP/1.1"')
    assert line_of('"%{SERVER_PROTOCOL}e"', SERVER_PROTOCOL="HTTP/1.1") == '"HTTP/1.1"'


def test_a_missing_field_is_still_missing():
    assert line_of('"%{Authorization}i" "%{Set-Cookie}o" %{session}C') == '"-" "-" -'


@pytest.mark.parametrize(
    "name",
    ["session", "Session", "__Host-session", "__Secure-token", "__Host-id", "id", "id.1", "auth_tkt", "PHPSESSID"],
)
def test_cookies_that_are_secrets_are_masked(name):
    assert line_of(f"%{{{name}}}C %{{theme}}C", headers={"Cookie": f"{name}={SECRET}; theme=dark"}) == "*** dark"


def test_a_cookie_may_be_named():
    assert Privacy(cookies=["theme"]).cookie("theme", "dark") == MASK
    assert Privacy(and_parameters=["cart"]).cookie("cart", "7") == MASK


def test_a_user_agent_is_no_url():
    agent = "Bot/1.0 (+https://bot.test/?key=value; ann@bot.test)"
    assert line_of("combined", headers={"User-Agent": agent}).endswith(f'"{agent}"')


def no_reset(path):
    return "/reset/<hidden>" if path.startswith("/app/reset/") else path


@pytest.mark.parametrize(
    "raw", [{}, {"RAW_URI": f"/app/%72eset/{SECRET}?x=1"}, {"REQUEST_URI": f"/app/reset/{SECRET}?x=1"}]
)
def test_a_function_rewrites_the_path(raw):
    request = {
        "REQUEST_URI": "",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": f"/reset/{SECRET}",
        "QUERY_STRING": "x=1",
        "HTTP_REFERER": f"https://app.test/app/reset/{SECRET}",
        "PATH_TRANSLATED": f"/srv/reset/{SECRET}",
        **raw,
    }
    hide = Privacy(path=no_reset)
    line = line_of('"%r" "%U" "%{Referer}i" "%{PATH_INFO}e" "%{PATH_TRANSLATED}e"', hide=hide, **request)
    assert line == (
        '"GET /reset/<hidden>?x=1 HTTP/1.0" "/reset/<hidden>" "https://app.test/reset/<hidden>" "/reset/<hidden>" "***"'
    )
    for form in FORMS.values():
        assert SECRET not in line_of(form, hide=hide, **request)


def test_other_paths_stay_byte_for_byte():
    hide = Privacy(path=no_reset)
    assert '"GET /a%2Fb/%7Eann?x=1 HTTP/1.0"' in line_of("common", hide=hide, RAW_URI="/a%2Fb/%7Eann?x=1")


def failing(path):
    raise KeyError(path)


@pytest.mark.parametrize("function", [failing, lambda path: None], ids=["raises", "gives nothing"])
def test_a_path_that_the_function_cannot_judge_is_hidden(function):
    line = line_of('"%r" "%U"', hide=Privacy(path=function), path=f"/reset/{SECRET}?x=1")
    assert line == '"GET /***?x=1 HTTP/1.0" "/***"'


def test_none_shows_everything():
    line = line_of(
        '"%r" "%{Authorization}i" %{session}C',
        hide=None,
        path="/?token=1",
        headers={"Authorization": "B x", "Cookie": "session=1"},
    )
    assert line == '"GET /?token=1 HTTP/1.0" "B x" 1'


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("2002:cb00:714d::1", "2002:cb00:7100::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
    ],
)
def test_the_host_part_of_an_address_is_zero(address, shown):
    hide = Privacy(addresses="/24,/48")
    assert line_of("common", hide=hide, REMOTE_ADDR=address).split()[0] == shown
    assert line_of("%h %{c}a", hide=hide, REMOTE_ADDR=address) == f"{shown} {shown}"


def test_the_networks_are_chosen():
    assert Privacy(addresses=" /16 , /32").address("203.0.113.77", 0) == "203.0.0.0"
    assert Privacy(addresses="/0,/0").address("2001:db8::1", 0) == "::"
    assert Privacy(addresses="/32,/128").address("203.0.113.77", 0) == "203.0.113.77"


def test_a_key_makes_other_addresses_of_each_day():
    hide = Privacy(addresses=KEY)
    shown = line_of("%h", hide=hide, REMOTE_ADDR="203.0.113.77")
    assert ip_address(shown) in ip_network("fd00::/8")
    assert line_of("%h", hide=Privacy(addresses=KEY.encode()), REMOTE_ADDR="203.0.113.77") == shown
    assert line_of("%h", hide=hide, REMOTE_ADDR="::ffff:203.0.113.77") == shown
    others = {
        line_of("%h", hide=hide, REMOTE_ADDR="203.0.113.78"),
        line_of("%h", hide=Privacy(addresses=KEY + "!"), REMOTE_ADDR="203.0.113.77"),
        line_of("%h", hide=hide, REMOTE_ADDR="203.0.113.77", clock=lambda: NOON + DAY),
    }
    assert len(others | {shown}) == 4
    assert line_of("%h", hide=hide, REMOTE_ADDR="203.0.113.77", clock=lambda: NOON + DAY // 2 - 1) == shown


@pytest.mark.slow
def test_within_a_day_every_process_makes_the_same_address():
    script = "from middleware.logging.privacy import Privacy; "
    script += f"print(Privacy(addresses={KEY!r}).address('192.0.2.1', {NOON}))"
    theirs = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert theirs.strip() == Privacy(addresses=KEY).address("192.0.2.1", NOON)


ADDRESS = "203.0.113.77"
OF_CLIENTS = {
    "REMOTE_ADDR": ADDRESS,
    "REMOTE_HOST": "client-203-0-113-77.isp.test",
    "middleware.peer": ADDRESS,
    "HTTP_X_FORWARDED_FOR": f"{ADDRESS}, {ADDRESS}:4711, [::ffff:{ADDRESS}]:80, x{ADDRESS}, unknown",
    "HTTP_FORWARDED": f'for={ADDRESS};proto=https;by="{ADDRESS}:1", For="[::ffff:{ADDRESS}]:47";host={ADDRESS}',
    "HTTP_X_REAL_IP": ADDRESS,
}


@pytest.mark.parametrize("how", ["/24,/48", KEY], ids=["network", "key"])
@every_form
def test_the_address_is_nowhere(how, form):
    if form == EVERYWHERE:
        form = "%a %h %{c}a %{c}h " + " ".join(f'"%{{{key}}}e" "%<{{{key}}}e"' for key in OF_CLIENTS)
        form += ' "%{X-Forwarded-For}i" "%{Forwarded}i" "%{X-Real-IP}i"'
    line = line_of(form, hide=Privacy(addresses=how), **OF_CLIENTS)
    assert ADDRESS not in line
    assert "203-0-113-77" not in line
    if form is not FORMS["own json"]:
        assert ADDRESS in line_of(form, hide=None, **OF_CLIENTS)


def test_the_rest_of_a_forwarding_field_is_hidden():
    hide = Privacy(addresses="/24,/48")
    assert hide.header("x-forwarded-for", OF_CLIENTS["HTTP_X_FORWARDED_FOR"]) == (
        "203.0.113.0, 203.0.113.0, 203.0.113.0, ***, unknown"
    )
    assert hide.header(
        "Forwarded", 'for=203.0.113.77;proto=https;by=_proxy, for="[2001:db8::1]:80", for="1.2.3.4;by=x"'
    ) == ('for=203.0.113.0;proto=https;by=***, for="[2001:db8::]", for=1.2.3.0;by=***')
    assert hide.header("X-Real-IP", "") == ""
    assert hide.header("X-Forwarded-For", "1.2.3.4," * 100).count("1.2.3.0") == 32


@pytest.mark.parametrize("name", ["Fly-Client-IP", "X-Appengine-User-Ip", "X-Azure-ClientIP", "Forwarded-For"])
def test_the_fields_of_hosting_services_are_covered(name):
    line = line_of(f"%{{{name}}}i", hide=Privacy(addresses="/24,/48"), headers={name: "203.0.113.77"})
    assert line == "203.0.113.0"


def test_a_peer_that_is_no_address_stays_a_dash():
    assert line_of("%h", hide=Privacy(addresses="/24,/48"), REMOTE_ADDR="unix:") == "-"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"parameters": "token"}, "parameters= takes names"),
        ({"and_parameters": [7]}, "and_parameters= takes names, and 7 is none"),
        ({"headers": None}, "headers= takes names"),
        ({"cookies": [" "]}, "cookies= takes names"),
        ({"path": "/reset"}, "path= is a function"),
        ({"addresses": "/33,/48"}, "up to 32 bits"),
        ({"addresses": "/24,/129"}, "up to 128"),
        ({"addresses": "/24"}, "this has 3"),
        ({"addresses": "255.255.255.0,ffff:ffff:ffff::"}, "no lengths of networks"),
        ({"addresses": "/24, /48, /64, /64"}, "no lengths of networks"),
        ({"addresses": b"short"}, "a key of 16 bytes or more"),
        ({"addresses": 24}, "not int"),
    ],
)
def test_a_wrong_option_is_refused(options, told):
    with pytest.raises(ConfigurationError, match="^" + ".*" + told.replace("(", r"\(")):
        Privacy(**options)


def test_the_layer_takes_no_other_privacy():
    with pytest.raises(ConfigurationError, match="privacy= takes Privacy"):
        LoggingMiddleware(hello, privacy=False)


def test_it_does_not_change_and_shows_no_key():
    hide = Privacy(addresses=KEY)
    with pytest.raises(AttributeError):
        hide.path = None
    assert KEY not in repr(hide)
    assert "/24,/48" in repr(Privacy(addresses="/24,/48"))


names = st.sampled_from(PARAMETERS).flatmap(
    lambda name: st.tuples(*(st.sampled_from([c, c.upper(), f"%{ord(c):02x}"]) for c in name)).map("".join)
)
safe = st.text("abcxyz0189-._~", max_size=8)
text = st.text(st.characters(max_codepoint=0xFF), max_size=40)
odd = st.text("token=&;?#/%@:[]+3Dd ", max_size=40)


@settings(max_examples=3 * settings().max_examples // 2)
@given(st.lists(st.tuples(safe, safe), max_size=3), names, st.text("SECRET", min_size=7), st.sampled_from("&;"))
def test_no_secret_is_left_and_all_else_is(others, name, secret, mark):
    pairs = [f"q{key}={value}" for key, value in others]
    query = mark.join([*pairs, f"{name}={secret}", *pairs])
    shown = mark.join([*pairs, f"{name}={MASK}", *pairs])
    assert privacy.query(query) == shown
    assert privacy.url(f"/a?{query}") == f"/a?{shown}"
    assert privacy.url(f"https://a:{secret}@a.test/b#{query}") == f"https://***@a.test/b#{shown}"


@settings(max_examples=2 * settings().max_examples)
@given(st.one_of(text, odd))
def test_whatever_is_sent_is_masked_once_and_for_all(sent):
    for masked in (privacy.query, privacy.url, privacy.path, privacy.message):
        shown = masked(sent)
        assert masked(shown) == shown
    assert privacy.header("Forwarded", sent) == sent or MASK in privacy.header("Forwarded", sent)
    Privacy(addresses="/24,/48").header("Forwarded", sent)
    if privacy.is_plain(sent):
        assert privacy.url(sent) == sent


@pytest.mark.slow
@settings(max_examples=2 * settings().max_examples)
@given(odd)
def test_the_one_look_at_a_query_overlooks_nothing(sent):
    assert privacy.query(f"{sent};x=1") == f"{privacy.query(sent)};x=1"
    assert privacy.url(f"/a?{sent}") == f"/a?{privacy.query(sent)}"


@settings(max_examples=3 * settings().max_examples // 2)
@given(st.text(st.characters(max_codepoint=0x7F, exclude_characters="=%@"), max_size=40))
def test_what_has_no_value_is_plain(sent):
    assert privacy.is_plain(sent)
    assert privacy.url(sent) == privacy.query(sent) == sent


@given(st.binary(max_size=20))
def test_percent_decoding_gives_bytes_back(raw):
    assert unquoted("".join(f"%{byte:02X}" for byte in raw)) == raw.decode("latin-1")


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["&", "%3D", "token=", "[", "a[b]=1&", "?", ";/", "@", "%", "%253D"])
def test_a_long_url_is_no_trouble(piece):
    url = "/?" + piece * 100_000
    assert len(privacy.url(url)) <= 4 * len(url)
    assert len(Privacy(addresses=KEY).header("Forwarded", url)) < 1000 + len(url)
