"""Frameworks read uploads through the gateway layer, of a server that offers nothing but `read(n)`."""

from __future__ import annotations

import json

import pytest
from asking import call
from gateway.servers_input import Ending, Input, environ_of

from middleware import GatewayMiddleware
from middleware.errors import ClientGone

FILE = b"".join(b"line %d\r\n" % number for number in range(20_000))
FORM = (
    b'--xx\r\nContent-Disposition: form-data; name="title"\r\n\r\ncaf\xc3\xa9\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\n" + FILE + b"\r\n--xx--\r\n"
)
MULTIPART = {"CONTENT_TYPE": "multipart/form-data; boundary=xx"}


def flask_site():
    flask = pytest.importorskip("flask")
    app = flask.Flask("upload")

    @app.post("/")
    def upload():
        return flask.jsonify([flask.request.form["title"], len(flask.request.files["file"].read())])

    return app


def flask_wsgi():
    return flask_site().wsgi_app


def django_wsgi():
    pytest.importorskip("django")
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIRequest

    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8", SECRET_KEY="of the test")

    def app(environ, start_response):
        request = WSGIRequest(environ)
        found = [request.POST["title"], request.FILES["file"].size]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(found).encode()]

    return app


def webob_wsgi():
    from webob import Request

    class InMemory(Request):
        request_body_tempfile_limit = 1 << 20  # its temporary file would be closed by the garbage collector only

    def app(environ, start_response):
        form = InMemory(environ).POST
        with form["file"].file as file:
            found = [form["title"], len(file.read())]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(found).encode()]

    return app


every_framework = pytest.mark.parametrize("make", [flask_wsgi, django_wsgi, webob_wsgi])


@every_framework
def test_an_upload_arrives_whole(make):
    given = Input(FORM, most=1000)
    environ = environ_of(**{"wsgi.input": given, "CONTENT_LENGTH": str(len(FORM)), **MULTIPART})
    assert json.loads(call(GatewayMiddleware(make()), environ).body) == ["café", len(FILE)]


@pytest.mark.parametrize("make", [flask_wsgi])
def test_a_chunked_upload_arrives_whole_where_the_framework_takes_one(make):
    environ = environ_of(
        **{"wsgi.input": Ending(FORM), "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, **MULTIPART}
    )
    assert json.loads(call(GatewayMiddleware(make()), environ).body) == ["café", len(FILE)]


@every_framework
def test_an_upload_that_breaks_off_is_no_success(make):
    environ = environ_of(**{"wsgi.input": Ending(FORM[:5000]), "CONTENT_LENGTH": str(len(FORM)), **MULTIPART})
    try:
        answer = call(GatewayMiddleware(make()), environ)
    except OSError:  # of the framework's own class
        return
    assert answer.code >= 400


def test_flask_answers_it_as_its_handler_says():
    site = flask_site()
    site.register_error_handler(ClientGone, lambda error: ("the upload broke off", 400))
    environ = environ_of(**{"wsgi.input": Ending(FORM[:5000]), "CONTENT_LENGTH": str(len(FORM)), **MULTIPART})
    assert call(GatewayMiddleware(site.wsgi_app), environ).code == 400
