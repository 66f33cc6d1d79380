"""`python -m middleware`, as somebody at a terminal uses it."""

from __future__ import annotations

import io
import sys

import pytest

import middleware
from middleware import __main__ as command_line


class Piped(io.StringIO):
    """Standard input."""


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; what it said and its exit status come back."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", Piped(stdin))
        try:
            status = command_line.main(arguments)
        except SystemExit as exited:
            status = exited.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_each_secret_is_new_and_long_enough_to_sign_with(run):
    secrets = {run("secret")[1].strip() for _ in range(3)}
    assert len(secrets) == 3
    assert all(len(secret) == 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in secrets)


def test_the_version_is_told(run):
    assert run("--version") == (0, f"wsgi-middleware {middleware.__version__}\n", "")


def test_help_names_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    assert all(command in out for command in ("secret", "auth", "purge", "stores"))


def test_without_a_command_the_help_is_shown_and_the_status_says_wrong_use(run):
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "usage: python -m middleware" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "hash", "hunter2"),
        ("auth", "hash", "--form", "md5"),
        ("hash",),
        ("auth",),
        ("auth", "explain", "GET", "/"),
        ("nonsense",),
        ("stores",),
        ("stores", "purge"),
        ("--wrong",),
    ],
)
def test_wrong_use_exits_with_2(run, arguments):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "usage:" in err


@pytest.mark.slow
def test_a_piped_password_is_hashed_and_opens(run):
    from middleware.auth.passwords import verify

    status, out, err = run("auth", "hash", stdin="correct horse\n")
    assert (status, err) == (0, "")
    assert "correct horse" not in out
    assert verify("correct horse", out.strip())
    assert not verify("correct horse\n", out.strip())


@pytest.mark.slow
@pytest.mark.parametrize(("form", "begins"), [("argon2id", "$argon2id$"), ("scrypt", "$scrypt$"), ("bcrypt", "$2y$")])
def test_the_form_of_a_hash_can_be_chosen(run, form, begins):
    status, out, err = run("auth", "hash", "--form", form, stdin="correct horse\n")
    assert (status, out[: len(begins)], err) == (0, begins, "")


def test_no_password_is_wrong_use(run):
    status, out, err = run("auth", "hash", stdin="\n")
    assert (status, out) == (2, "")
    assert "no password" in err


def test_a_password_that_could_never_be_used_is_wrong_use(run):
    status, out, err = run("auth", "hash", stdin="x" * 5000)
    assert (status, out) == (2, "")
    assert "4096 bytes" in err


def test_two_different_passwords_at_the_terminal_are_refused(run, monkeypatch):
    typed = iter(["one", "other"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr(Piped, "isatty", lambda self: True)
    status, out, err = run("auth", "hash")
    assert (status, out) == (2, "")
    assert "not the same" in err


def test_expired_rows_are_purged_on_request(run, tmp_path):
    from middleware import SQLiteStore

    file = tmp_path / "sessions.db"
    with SQLiteStore(file, clock=lambda: 1000.0) as store:
        store.set("old", b"x", ttl=1)
        store.set("kept", b"x")
    assert run("stores", "purge", f"sqlite:///{file}") == (0, "deleted: 1\n", "")
    with SQLiteStore(file, clock=lambda: 1000.0) as store:
        assert store.get("old") is None
        assert store.get("kept") == b"x"


@pytest.mark.slow
def test_the_table_of_an_sql_store_is_made_on_request_by_a_url_that_no_other_user_can_read(run, postgresql):
    from middleware import open_store

    url = postgresql.url("postgresql", "?table=by_command")
    assert run("stores", "purge", "-", stdin=url)[0] == 1
    assert run("stores", "create", "-", stdin=f"{url}\n") == (0, "ready: by_command\n", "")
    assert run("stores", "create", url) == (0, "ready: by_command\n", "")
    with open_store(url) as store:
        store.set("key", b"value")
        assert run("stores", "purge", url) == (0, "deleted: 0\n", "")
        assert store.get("key") == b"value"


def test_a_store_without_a_table_has_none_to_make(run, tmp_path):
    status, out, err = run("stores", "create", f"sqlite:///{tmp_path}/sessions.db")
    assert (status, out) == (1, "")
    assert "SQLiteStore has no table to make" in err


def test_a_store_that_cannot_be_opened_is_told_in_one_line(run):
    status, out, err = run("stores", "purge", "nonsense://")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1


# auth explain


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A PasteDeploy file whose application is nobody's business."""
    import types

    module = types.ModuleType("site_of_the_command_line")
    module.site = lambda global_conf: pytest.fail
    module.broken = lambda global_conf: {}["missing"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / "users").write_text("ann:$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43)
    file = tmp_path / "app.ini"
    file.write_text(SITE)
    return str(file)


SITE = """
[pipeline:main]
pipeline = log auth site
[pipeline:bare]
pipeline = log site
[pipeline:wrong]
pipeline = misspelt site
[filter:log]
use = egg:wsgi-middleware#logging
[filter:auth]
use = egg:wsgi-middleware#auth
scheme.1 = basic htpasswd:%(here)s/users
rule.1 = allow /pub
rule.2 = require /admin role=admin
rule.10 = require / methods=GET
[filter:misspelt]
use = egg:wsgi-middleware#auth
scheme.1 = basik htpasswd:%(here)s/users
[app:site]
paste.app_factory = site_of_the_command_line:site
[app:broken]
paste.app_factory = site_of_the_command_line:broken
"""


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("GET /pub/x", ["GET /pub/x", "rule 1: allow('/pub')", "everybody may"]),
        ("GET /admin", ["rule 2: require('/admin', role=['admin'])", "asks basic, which reads Authorization"]),
        ("GET /x", ["rule 3: require('/', methods=['GET', 'HEAD'])", "needs a login"]),
        ("POST /x", ["no rule matches", "401"]),
        ("GET //admin", ["//admin  decided by", "/admin  decided by", "require('/admin', role=['admin'])", "400"]),
        ("get /pub", ["no rule matches"]),
        ("GET admin", ["400, for a path begins with a slash"]),
        ("GET /\udcff", ["GET /\\udcff"]),
    ],
)
def test_explain_says_which_rule_decides_and_why(run, config, asked, told):
    status, out, err = run("auth", "explain", *asked.split(), "--config", config)
    assert (status, err) == (0, "")
    assert all(part in out for part in told), out


def test_explain_says_what_the_layer_says(run, config):
    from middleware.integrations.pastedeploy import load

    layer = load(config, "main").app
    for method, path in [("GET", "//admin"), ("HEAD", "/pub"), ("DELETE", "/x")]:
        assert run("auth", "explain", method, path, "--config", config)[1] == f"{layer.explain(method, path)}\n"


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("bare", "has no auth layer: name a pipeline by --section"),
        ("nowhere", "No section 'nowhere'"),
        ("wrong", "there is no scheme 'basik'; did you mean 'basic'?"),
    ],
)
def test_what_cannot_be_explained_is_told_in_one_line(run, config, section, told):
    status, out, err = run("auth", "explain", "GET", "/", "--config", config, "--section", section)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


def test_a_file_that_is_not_there_is_told_in_one_line(run, tmp_path):
    status, out, err = run("auth", "explain", "GET", "/", "--config", str(tmp_path / "app.ini"))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "cannot be loaded" in err


def test_a_file_of_another_kind_is_told_without_what_it_holds(run, tmp_path):
    users = tmp_path / "users"
    users.write_text("ann:$2y$05$abcdefghijklmnopqrstuv\n", encoding="utf-8")
    status, out, err = run("auth", "explain", "GET", "/", "--config", str(users))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "line 1 is none of a PasteDeploy file" in err
    assert "$2y$" not in err


@pytest.mark.parametrize("line", ["secret = 5ecret%x", "secret = %(5ecret)s", "5ecret"])
def test_a_line_that_cannot_be_read_is_told_without_what_it_holds(run, tmp_path, line):
    file = tmp_path / "app.ini"
    file.write_text(f"[app:main]\npaste.app_factory = os:nothing\n{line}\n", encoding="utf-8")
    status, out, err = run("auth", "explain", "GET", "/", "--config", str(file))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "secret in [app:main] has a %" in err or "line 3 is none" in err
    assert "5ecret" not in err


def test_an_error_of_the_application_keeps_its_traceback(run, config):
    with pytest.raises(KeyError, match="missing"):
        run("auth", "explain", "GET", "/", "--config", config, "--section", "broken")


def test_without_pastedeploy_explain_says_what_to_install(run, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "paste.deploy", None)
    status, _, err = run("auth", "explain", "GET", "/", "--config", config)
    assert (status, "pip install 'wsgi-middleware[paste]'" in err) == (1, True)


# auth check

SCRYPT = "$scrypt$ln=14,r=8,p=5$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43
MD5 = "$apr1$abcdefgh$" + "x" * 22


def test_a_file_of_users_without_fault_is_said_to_be_one(run, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"# people\n\nann:{SCRYPT}\nj\u00e4s\u00f8n:{SCRYPT}\n", encoding="utf-8")
    assert run("auth", "check", str(file)) == (0, "users: 2 of 2 without fault; passwords: scrypt\n", "")


def test_what_is_wrong_with_a_file_of_users_is_told_by_line_and_without_passwords(run, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"ann:{SCRYPT}\nhunter2\nbob:hunter2\nann:{SCRYPT}\ncat:{MD5}\nAnn:{SCRYPT}\n")
    status, out, err = run("auth", "check", str(file), "--case-map")
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "line 2: no user",
        "line 3: 'bob': invalid password",
        "line 4: 'ann' (scrypt): duplicate",
        "line 5: 'cat' (apr1): weak",
        "line 6: 'Ann' (scrypt): same name",
        "users: 1 of 6 without fault; passwords: apr1, scrypt",
    ]
    assert "hunter2" not in out


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["as they are", "plain"])
def test_a_file_of_htdigest_is_known_for_one(run, tmp_path, options):
    file = tmp_path / "users"
    file.write_text(f"ann:App:{'0a' * 16}\nann:App:{'0A' * 32}\nbob:{SCRYPT}:{'0a' * 16}\n")
    status, out, err = run("auth", "check", str(file), *options)
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "line 1: 'ann': of htdigest",
        "line 2: 'ann': duplicate, of htdigest",
        f"lines of htdigest are for Digest(Htdigest('{file}'), realm=...), which says what is wrong with them",
        "users: 1 of 3 without fault; passwords: scrypt",
    ]


def test_a_file_of_users_that_cannot_be_read_is_told_in_one_line(run, tmp_path):
    status, out, err = run("auth", "check", str(tmp_path / "users"))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "No such file" in err


# auth apikey


def test_a_new_api_key_is_printed_once_and_its_line_opens_by_it(run, tmp_path):
    from middleware.auth.api_keys import is_right
    from middleware.auth.key_file import record_of

    status, out, err = run("auth", "apikey", "--user", "ci", "--scope", "read", "--scope", "write", "--role", "robot")
    assert (status, err) == (0, "")
    key, line = out.splitlines()
    record = record_of(line)
    assert (record.user, record.scopes, record.roles) == ("ci", {"read", "write"}, {"robot"})
    assert key.startswith("key_")
    assert key not in line
    assert is_right(key, record.sha256)


def test_an_api_key_is_added_to_a_file_that_only_its_owner_reads(run, tmp_path):
    from middleware.auth.key_file import ApiKeys

    file = tmp_path / "keys"
    keys = [run("auth", "apikey", "--user", "ci", "--prefix", "app", "--file", str(file)) for _ in range(2)]
    assert [(status, out.count("\n"), err) for status, out, err in keys] == [(0, 1, "")] * 2
    assert all(out.startswith("app_") for _, out, _ in keys)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(out.strip() in file.read_text() for _, out, _ in keys)
    assert all(ApiKeys(file).get(out.split("_")[1]).user == "ci" for _, out, _ in keys)


def test_scopes_are_what_rules_ask_for(run):
    from middleware.auth.key_file import record_of

    _, out, _ = run("auth", "apikey", "--user", "ci", "--scope", "orders:read orders:write", "--scope", "stock")
    assert record_of(out.splitlines()[1]).scopes == {"orders:read", "orders:write", "stock"}


def test_an_api_key_may_end(run):
    from middleware.auth.key_file import record_of

    _, out, _ = run("auth", "apikey", "--user", "ci", "--expires", "2127-01-31")
    assert record_of(out.splitlines()[1]).expires_at == 4957027200


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--user", "ci", "--expires", "soon"], "no date such as 2027-01-31"),
        (["--user", "ci", "--expires", "2020-01-31"], "--expires 2020-01-31 is over already"),
        (["--user", "ci", "--prefix", "a-b"], "prefix of an API key"),
        (["--user", ""], "the user of an API key"),
        (["ci"], "usage:"),
        ([], "--user"),
    ],
)
def test_an_api_key_that_cannot_be_is_wrong_use(run, options, told):
    status, out, err = run("auth", "apikey", *options)
    assert (status, out) == (2, "")
    assert told in err


def test_a_file_of_keys_that_cannot_be_written_gives_no_key(run, tmp_path):
    status, out, err = run("auth", "apikey", "--user", "ci", "--file", str(tmp_path / "no" / "keys"))
    assert (status, out, err.count("\n")) == (1, "", 1)
