"""The servers of examples/deploy: what each needs, how it runs an application, and what it cannot do itself.

What a server cannot do is an expected failure that must fail: a server that was repaired is noticed.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from servers.debian import APACHE, LIGHTTPD, MODULES, NGINX, PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_A_REQUEST = "one a request"
ONE = "one"
SEVERAL = "several"


class Flags(NamedTuple):
    """What a server says of itself by `wsgi.multithread`, `wsgi.multiprocess` and `wsgi.run_once`."""

    multithread: bool = False
    multiprocess: bool = False
    run_once: bool = False


ONE_AT_A_TIME = Flags()
THREADS = Flags(multithread=True)
PROCESSES = Flags(multiprocess=True)
BOTH = Flags(multithread=True, multiprocess=True)
RUN_ONCE = Flags(multiprocess=True, run_once=True)


class Row(NamedTuple):
    """A server.

    page: of docs/servers, which shows its configuration.
    protocol: what the web server and the process of the application say to each other.
    processes: how many of them serve with this configuration.
    flags: what it says of that in environ.
    needs: its programs, modules of Apache (mod_x.so) and packages of Python.
    cannot: questions to which its answer is not the right one, with what it does instead.
    authorization: the setting without which the `Authorization` field does not arrive.
    debians_python: it runs Debian's interpreter.
    """

    page: str
    protocol: str
    processes: str
    flags: Flags
    needs: tuple[str, ...]
    cannot: Mapping[str, str] = MappingProxyType({})
    authorization: str = ""
    debians_python: bool = False


# Questions, by the names of their tests.
STREAMS = "a_stream_arrives_piece_by_piece"
TELLS_WHERE_IT_BROKE = "an_error_after_the_first_byte_does_not_look_like_a_whole_answer"
TAKES_CHUNKS = "a_chunked_upload_arrives"
HEARS_OF_CLIENTS = "a_client_that_leaves_while_it_sends_is_told_to_the_application"

_TAKES_ALL = {HEARS_OF_CLIENTS: "the application is not called before the whole body is there"}
_KEEPS_QUIET = {HEARS_OF_CLIENTS: "a client that leaves while it sends is not told of"}
_ENDS_WELL = {TELLS_WHERE_IT_BROKE: "a broken answer looks like a whole one, since the web server ends it"}
_SAYS_200 = dict.fromkeys(
    (
        "a_user_signs_in_keeps_a_note_and_signs_out",
        "a_request_leaves_one_line_with_status_and_bytes",
        TAKES_CHUNKS,
        "a_chunked_upload_is_never_lost_in_silence",
        "a_refusal_arrives_although_the_upload_was_not_read",
        "too_large_a_form_is_refused_although_it_was_not_read",
        "of_two_lengths_no_wrong_one_is_believed",
        "an_early_answer_arrives_though_nobody_has_read_the_body",
        "a_head_that_replaces_another_brings_its_body",
        "a_page_that_has_not_changed_is_304_without_a_body",
    ),
    "every status but that of an error is sent as 200",
)
_HEAD_FIRST = {
    "an_error_behind_the_head_and_before_the_first_byte_is_answered": (
        "an error between head and first value breaks the connection"
    )
}
_ENDS_AS_HTTP_1_0 = {
    TELLS_WHERE_IT_BROKE: "a broken answer looks like a whole one, since HTTP/1.0 ends where the connection does"
}
_411_BY_FRONT = {TAKES_CHUNKS: "a chunked upload is refused with 411 by the web server"}
_411_BY_US = {TAKES_CHUNKS: "a chunked upload, which the server would lose, is refused with 411"}

_NO_ENCODED_SLASH = {"an_encoded_slash_reaches_the_application": "a path with `%2F` is answered 404"}

_CGI_AUTH = "CGIPassAuth On"
_WSGI_AUTH = "WSGIPassAuthorization On"

ROWS = {
    "apache-cgid": Row(
        "apache", "CGI", ONE_A_REQUEST, RUN_ONCE, (APACHE, "mod_cgid.so"), _ENDS_WELL, authorization=_CGI_AUTH
    ),
    "apache-cgi": Row(
        "apache", "CGI", ONE_A_REQUEST, RUN_ONCE, (APACHE, "mod_cgi.so"), _ENDS_WELL, authorization=_CGI_AUTH
    ),
    "lighttpd-cgi": Row("lighttpd", "CGI", ONE_A_REQUEST, RUN_ONCE, (LIGHTTPD,), _ENDS_WELL | _TAKES_ALL),
    "modwsgi-embedded": Row(
        "apache",
        "none: in Apache's own processes",
        SEVERAL,
        BOTH,
        (APACHE, "mod_wsgi.so"),
        authorization=_WSGI_AUTH,
        debians_python=True,
    ),
    "modwsgi-daemon": Row(
        "apache",
        "mod_wsgi's own",
        SEVERAL,
        BOTH,
        (APACHE, "mod_wsgi.so"),
        _ENDS_WELL,
        authorization=_WSGI_AUTH,
        debians_python=True,
    ),
    "modwsgi-express": Row(
        "apache", "mod_wsgi's own", SEVERAL, BOTH, (APACHE, "mod_wsgi"), _ENDS_WELL | _NO_ENCODED_SLASH
    ),
    "modpython": Row(
        "apache",
        "none: in Apache's own processes",
        SEVERAL,
        BOTH,
        (APACHE, "mod_python.so"),
        _ENDS_WELL | _SAYS_200,
        debians_python=True,
    ),
    "fcgid-flup": Row(
        "apache",
        "FastCGI",
        SEVERAL,
        THREADS,
        (APACHE, "mod_fcgid.so", "flup"),
        _ENDS_WELL | _TAKES_ALL,
        authorization=_CGI_AUTH,
    ),
    "apache-fcgi-flup": Row("apache", "FastCGI", ONE, THREADS, (APACHE, "flup"), _ENDS_WELL, authorization=_CGI_AUTH),
    "apache-scgi-flup": Row(
        "apache", "SCGI", ONE, THREADS, (APACHE, "flup"), _ENDS_WELL | _411_BY_FRONT, authorization=_CGI_AUTH
    ),
    "apache-ajp-flup": Row("apache", "AJP", ONE, THREADS, (APACHE, "flup"), _ENDS_WELL | _411_BY_US),
    "apache-uwsgi": Row("apache", "uwsgi", SEVERAL, BOTH, (APACHE, "uwsgi"), _ENDS_WELL | _411_BY_FRONT),
    "apache-http": Row("apache", "HTTP", SEVERAL, BOTH, (APACHE, "gunicorn"), _KEEPS_QUIET),
    "nginx-fcgi-flup": Row("nginx", "FastCGI", ONE, THREADS, (NGINX, "flup"), _ENDS_WELL),
    "nginx-scgi-flup": Row("nginx", "SCGI", ONE, THREADS, (NGINX, "flup"), _ENDS_WELL | _TAKES_ALL),
    "nginx-uwsgi": Row("nginx", "uwsgi", SEVERAL, BOTH, (NGINX, "uwsgi"), _ENDS_WELL),
    "nginx-http": Row("nginx", "HTTP", SEVERAL, BOTH, (NGINX, "gunicorn")),
    "lighttpd-fcgi-flup": Row("lighttpd", "FastCGI", ONE, THREADS, (LIGHTTPD, "flup"), _ENDS_WELL | _TAKES_ALL),
    "lighttpd-scgi-flup": Row("lighttpd", "SCGI", ONE, THREADS, (LIGHTTPD, "flup"), _ENDS_WELL | _TAKES_ALL),
    "lighttpd-http": Row("lighttpd", "HTTP", SEVERAL, BOTH, (LIGHTTPD, "gunicorn"), _TAKES_ALL),
    "uwsgi-http": Row("uwsgi", "HTTP", SEVERAL, BOTH, ("uwsgi",), _ENDS_AS_HTTP_1_0 | _411_BY_US),
    "uwsgi-httpsocket": Row("uwsgi", "HTTP", SEVERAL, BOTH, ("uwsgi",), _ENDS_AS_HTTP_1_0 | _411_BY_US),
    "uwsgi-fastcgi": Row("uwsgi", "FastCGI", SEVERAL, BOTH, (NGINX, "uwsgi"), _ENDS_WELL),
    "uwsgi-scgi": Row(
        "uwsgi", "SCGI", SEVERAL, BOTH, (APACHE, "uwsgi"), _ENDS_WELL | _411_BY_FRONT, authorization=_CGI_AUTH
    ),
    "cheroot": Row("cheroot", "HTTP", ONE, THREADS, ("cheroot",)),
    "cherrypy": Row("cheroot", "HTTP", ONE, THREADS, ("cherrypy",)),
    "werkzeug": Row("werkzeug", "HTTP", ONE, THREADS, ("werkzeug",)),
    "wsgiref": Row("wsgiref", "HTTP", ONE, ONE_AT_A_TIME, (), _ENDS_AS_HTTP_1_0 | _411_BY_US),
    "gunicorn-sync": Row("gunicorn", "HTTP", SEVERAL, PROCESSES, ("gunicorn",)),
    "gunicorn-gthread": Row("gunicorn", "HTTP", SEVERAL, BOTH, ("gunicorn",)),
    "gunicorn-gevent": Row("gunicorn", "HTTP", SEVERAL, BOTH, ("gunicorn", "gevent")),
    "waitress": Row("waitress", "HTTP", ONE, THREADS, ("waitress",), _TAKES_ALL),
    "granian": Row("granian", "HTTP", SEVERAL, THREADS, ("granian",), _HEAD_FIRST),
    "paste": Row("paste", "HTTP", ONE, THREADS, ("paste",), _ENDS_AS_HTTP_1_0 | _411_BY_US),
    "pserve": Row("paste", "HTTP", ONE, THREADS, ("pyramid", "waitress"), _TAKES_ALL),
    "gevent": Row("gevent", "HTTP", ONE, ONE_AT_A_TIME, ("gevent",)),
    "eventlet": Row("eventlet", "HTTP", ONE, THREADS, ("eventlet",)),
}


def missing(row):
    """What the row needs and is not installed here."""
    absent = [need for need in row.needs if not _is_there(need)]
    if row.debians_python and not _is_debians_like_ours():
        absent.append(f"a {PYTHON} of version {sys.version_info[0]}.{sys.version_info[1]}")
    return absent


@cache
def _is_debians_like_ours():
    """Whether Debian's interpreter can take the packages of this one."""
    if not PYTHON.exists():
        return False
    say_version = "import sys; print(*sys.version_info[:2])"
    told = subprocess.run([PYTHON, "-c", say_version], capture_output=True, text=True, check=True)
    return told.stdout.split() == [str(part) for part in sys.version_info[:2]]


def _is_there(need):
    if need.startswith("/"):
        return Path(need).exists()
    if need.endswith(".so"):
        return (MODULES / need).exists()
    if need == "uwsgi":
        return (Path(sys.prefix) / "bin" / "uwsgi").exists()
    return find_spec(need) is not None
