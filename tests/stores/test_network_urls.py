import subprocess
from contextlib import suppress

import pytest
from conftest import program
from hypothesis import given
from hypothesis import strategies as st
from servers.programs import free_port
from servers.redis_servers import RedisServer

from middleware.errors import ConfigurationError, MiddlewareError, StoreError
from middleware.stores import MemcachedStore, RedisStore, open_store

slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://db", "Redis at db:6379, database 0, prefix='middleware:'"),
        ("redis://db/", "Redis at db:6379, database 0, prefix='middleware:'"),
        ("redis://:secret@db:6380/2?prefix=app%3A", "Redis at db:6380, database 2, prefix='app:'"),
        ("redis://me:sec%2Fr%40t@[::1]:7/15", "Redis at ::1:7, database 15, prefix='middleware:'"),
        ("rediss://db?ssl_ca_certs=/etc/ca.pem", "Redis at db:6379, database 0, prefix='middleware:'"),
        ("redis+unix:///run/my%20redis.sock?db=3", "Redis at /run/my redis.sock, database 3, prefix='middleware:'"),
        ("redis+cluster://:secret@a,b:7001", "a Redis Cluster, prefix='middleware:'"),
        ("rediss+cluster://a", "a Redis Cluster, prefix='middleware:'"),
        ("memcached://a", "memcached at a:11211, prefix='middleware:'"),
        ("memcached://a,[::1],c:7?prefix=app", "memcached at a:11211, ::1:11211, c:7, prefix='app'"),
        ("memcached:///run/memcached.sock", "memcached at /run/memcached.sock, prefix='middleware:'"),
    ],
)
def test_a_store_is_opened_where_its_url_says_and_shows_no_password(url, shown):
    with open_store(url) as store:
        kind = MemcachedStore if url.startswith("memcached") else RedisStore
        assert isinstance(store, kind)
        assert repr(store) == f"<{kind.__name__}: {shown}>"


def test_a_login_is_taken_as_it_was_escaped():
    with open_store("redis://us%3Aer:p%40ss%2F%25%3A@db") as store:
        connection = store._server._make()
        assert (connection.username, connection.password) == ("us:er", "p@ss/%:")


def test_a_redis_has_a_time_limit():
    for url, seconds in (("redis://db", 2), ("redis://db?timeout=500ms", 0.5)):
        with open_store(url) as store:
            connection = store._server._make()
            assert (connection.socket_timeout, connection.socket_connect_timeout) == (seconds, seconds)
    with open_store("redis+unix:///a?timeout=1m") as store:
        assert store._server._make().socket_timeout == 60


def test_each_memcached_has_a_time_limit():
    for url, seconds in (("memcached://a", 2), ("memcached://a,b?timeout=500ms", 0.5)):
        with open_store(url) as store:
            for pooled in store._servers._pooled():
                assert (pooled.timeout, pooled.connect_timeout) == (seconds, seconds)


def test_tls_checks_the_certificate_and_its_host():
    import ssl

    with open_store("rediss://db?ssl_ca_certs=/etc/ca.pem") as store:
        connection = store._server._make()
        assert (connection.cert_reqs, connection.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert connection.ca_certs == "/etc/ca.pem"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redi://db", r"did you mean 'redis'\?"),
        ("memcache://db", r"did you mean 'memcached'\?"),
        ("redis://", r"write redis://host:6379"),
        ("redis://db:0", r"write redis://host:6379"),
        ("redis://db:65536", r"write redis://host:6379"),
        ("redis://db:port", r"write redis://host:6379"),
        ("redis://db:\u0661", r"write redis://host:6379"),
        ("redis://::1", r"write redis://host:6379"),
        ("redis://a b", r"write redis://host:6379"),
        ("redis://a%00", r"write redis://host:6379"),
        ("redis://a,b", r"redis\+cluster://"),
        ("rediss://a,b", r"rediss\+cluster://"),
        ("redis://db/name", "a database of Redis is a number"),
        ("redis://db/-1", "a database of Redis is a number"),
        ("redis://db/0/1", "a database of Redis is a number"),
        ("redis://db?prefx=a", r"has no 'prefx', there are prefix, timeout: did you mean 'prefix'\?"),
        ("redis://db?ssl_ca_certs=/a", r"has no 'ssl_ca_certs'"),
        ("redis://db?timeout=0", "timeout of a redis URL: '0' is not above 0"),
        ("redis://db?timeout=2h", "at most an hour"),
        ("redis://db?timeout=soon", "is not a duration"),
        ("redis://db?prefix=%00", "prefix must be printable"),
        ("rediss://db?ssl_ca_cert=/a", r"did you mean 'ssl_ca_certs'\?"),
        ("redis+unix://db", r"write redis\+unix:///run"),
        ("redis+unix:///", r"write redis\+unix:///run"),
        ("redis+unix:///a%00", r"write redis\+unix:///run"),
        ("redis+unix:///a?db=x", "a database of Redis is a number"),
        ("redis+cluster://a/0", "has no databases"),
        ("redis+cluster://", r"write redis\+cluster://host:6379"),
        ("redis+cluster://a,", r"write redis\+cluster://host:6379"),
        ("memcached://", r"write memcached://host:11211"),
        ("memcached://a,,b", r"write memcached://host:11211"),
        ("memcached://a/0", "neither user nor path"),
        ("memcached://me:secret@a", "neither user nor path"),
        ("memcached:///", r"write memcached:///run"),
        ("memcached://a?prefix=a%20b", "ASCII without spaces"),
        ("memcached://a?timeot=1", r"did you mean 'timeout'\?"),
    ],
)
def test_a_wrong_url_is_told_with_what_is_right(url, says):
    with pytest.raises(ConfigurationError, match=says):
        open_store(url)


SCHEMES = ["redis", "rediss", "redis+unix", "redis+cluster", "rediss+cluster", "memcached"]


@pytest.mark.parametrize("rest", ["db:x", "db/x", "a,b/9", "db?x=secret2", "db?timeout=x", ""])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_password_is_not_repeated(scheme, rest):
    with pytest.raises(ConfigurationError) as caught:
        open_store(f"{scheme}://user:secret1@{rest}")
    assert "secret1" not in str(caught.value)


@given(st.sampled_from(SCHEMES), st.text(), st.text())
def test_any_text_is_a_store_or_a_configuration_error(scheme, place, query):
    with suppress(ConfigurationError):
        open_store(f"{scheme}://{place}?{query}")


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_login_can_be_written(user, password):
    from urllib.parse import quote

    with suppress(UnicodeEncodeError), open_store(f"redis://{quote(user, '')}:{quote(password, '')}@db") as store:
        connection = store._server._make()
        assert (connection.username, connection.password) == (user, password)


@slow
def test_a_server_is_used_over_tls_and_refused_without_its_authority(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    request = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    request += ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    port = free_port()
    options = {
        "port": port,
        "cert-file": certificate,
        "key-file": key,
        "ca-cert-file": certificate,
        "auth-clients": "no",
    }
    tls = [text for name, value in options.items() for text in (f"--tls-{name}", str(value))]
    with RedisServer(tmp_path / "redis", *tls) as server:
        address = f"localhost:{port}"
        with open_store(f"rediss://{address}?ssl_ca_certs={certificate}") as store:
            store.set("key", b"value")
            assert [store.get("key") for _ in range(3)] == [b"value"] * 3
            assert server.clients() == 1
        for url in (f"rediss://{address}", f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"):
            with open_store(url) as store, pytest.raises(StoreError, match="certificate"):
                store.get("key")


@slow
def test_a_server_is_used_through_its_socket(tmp_path):
    with (
        RedisServer(tmp_path, "--unixsocket", str(tmp_path / "redis.sock")),
        open_store(f"redis+unix://{tmp_path}/redis.sock?db=1") as store,
    ):
        store.set("key", b"value")
        assert store.get("key") == b"value"


def test_a_store_that_is_missing_its_package_is_no_surprise(monkeypatch):
    import sys

    for package, url in (("redis", "redis+cluster://a"), ("redis", "redis://a"), ("pymemcache", "memcached://a")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MiddlewareError, match=r"pip install 'wsgi-middleware\["):
            open_store(url)
