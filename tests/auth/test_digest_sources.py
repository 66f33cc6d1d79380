"""Where the HA1 of a user comes from, and what is wrong with the options of Digest."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from auth_helpers import stored, who
from conftest import program
from digest_client import Client, hexed

from middleware.auth import Account, AuthMiddleware, Htpasswd, get_identity, require
from middleware.auth.digest.response import ha1
from middleware.auth.digest.sources import PlainPasswords
from middleware.auth.schemes.digest import Digest
from middleware.auth.users.htdigest import Htdigest
from middleware.errors import ConfigurationError
from middleware.stores.sqlite import SQLiteStore

SECRET = "a secret of the test, 32 characters"
ANN = ha1("ann", "App", "apple")
ANN_MD5 = ha1("ann", "App", "apple", "MD5")
BOTH = ("SHA-256", "MD5")


def app_of(users, **options):
    return AuthMiddleware(who, Digest(users, realm="App", secret=SECRET, **options), on_event=lambda event: None)


def code(users, algorithm="SHA-256", **options):
    return Client(app_of(users, **options)).get(algorithm=algorithm).code


class Source:
    def ha1(self, user, realm, algorithm):
        return ha1(user, realm, "apple", algorithm) if user == "ann" else None


class Lines(Mapping):
    def __getitem__(self, user):
        return {"ann": ANN}[user]

    def __iter__(self):
        return iter(["ann"])

    def __len__(self):
        return 1


@pytest.mark.parametrize(
    "users",
    [
        {"ann": ANN},
        {"ann": ANN.upper()},
        {"ann": f"{ANN_MD5} {ANN}"},
        {"ann": Account(ANN)},
        MappingProxyType({"ann": ANN}),
        Lines(),
        Source(),
        Source().ha1,
        lambda user, realm, algorithm: {("ann", "App", "SHA-256"): ANN}.get((user, realm, algorithm)),
        lambda *asked: Account(ANN),
        PlainPasswords({"ann": "apple"}),
        PlainPasswords({"ann": Account("apple")}),
        PlainPasswords({"ann": "apple"}.get),
    ],
)
def test_a_source_is_a_mapping_a_callable_or_what_has_ha1(users):
    assert code(users) == 200
    assert code(users, "MD5") == 401


@pytest.mark.parametrize(
    "users",
    [{"ann": f"{ANN} {ANN_MD5}"}, Source(), Source().ha1, PlainPasswords({"ann": "apple"})],
)
def test_a_source_can_serve_both_algorithms(users):
    assert [code(users, algorithm, algorithms=BOTH) for algorithm in BOTH] == [200, 200]


def test_an_ha1_of_another_algorithm_than_asked_for_is_nobodys():
    assert code(lambda user, realm, algorithm: ANN_MD5) == 401
    assert code({"ann": ANN, "bob": ANN_MD5}, "MD5", algorithms=BOTH) == 401


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ({"ann": stored("apple")}, "'ann' is a one-way hash"),
        ({"ann": Account(stored("apple"))}, "'ann' is a one-way hash"),
        ({"ann": "apple"}, r"'ann' is no HA1.*ha1\(user, realm, password\).*PlainPasswords"),
        ({"ann": ANN[1:]}, "no HA1"),
        ({"ann": ANN_MD5}, r"no HA1 of SHA-256.*algorithms=\['MD5'\]"),
        ({"ann": 7}, "maps names to HA1s"),
        ({"a b": ANN}, "'a b' is no user name"),
        ({"a:b": ANN}, "'a:b' is no user name"),
        ({"\uff41nn": ANN}, "is looked up as 'ann'"),
        (PlainPasswords, "Digest cannot take its users from type"),
        ("users.htdigest", "from str"),
        (None, "from NoneType"),
        (lambda user: ANN, "from function.*no one-way hash"),
        ({}.get, "from builtin_function_or_method"),
    ],
)
def test_what_holds_no_ha1_is_refused(users, message):
    with pytest.raises(ConfigurationError, match=message):
        app_of(users)


def test_a_file_of_one_way_hashes_is_refused(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"ann:{stored('apple')}\n")
    with pytest.raises(ConfigurationError, match=r"from Htpasswd.*no one-way hash of it"):
        app_of(Htpasswd(path))


@pytest.mark.parametrize("users", [{"ann": stored("apple")}, {"ann": 7}, {"a b": "x"}, dict, 7, "apple"])
def test_what_holds_no_passwords_is_refused(users):
    with pytest.raises(ConfigurationError):
        PlainPasswords(users)


def test_plain_passwords_are_not_shown():
    assert "apple" not in repr(PlainPasswords({"ann": "apple"}))


def test_who_has_no_password_cannot_sign_in():
    for users in (PlainPasswords({"ann": ""}), {"ann": ""}, lambda *asked: ""):
        assert Client(app_of(users), password="").get().code == 401


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret": None}, "secret= is needed"),
        ({"secret": "short"}, "a secret of 5 bytes"),
        ({"secret": []}, "empty"),
        ({"realm": ""}, "realm="),
        ({"realm": "a\nb"}, "realm="),
        ({"realm": "Büro"}, "realm="),
        ({"realm": 7}, "realm="),
        ({"algorithms": ()}, "algorithms="),
        ({"algorithms": "MD5"}, "algorithms= is a list"),
        ({"algorithms": ["SHA-512-256"]}, "algorithms= takes each of SHA-256, MD5"),
        ({"algorithms": ["MD5", "MD5"]}, "once at most"),
        ({"nonce_lifetime": 0}, "nonce_lifetime="),
        ({"nonce_lifetime": "5m"}, "nonce_lifetime="),
        ({"nonce_lifetime": float("nan")}, "nonce_lifetime="),
        ({"max_nonces": 0}, "max_nonces="),
        ({"max_nonces": 1.5}, "max_nonces="),
        ({"store": {}}, "store= is a store"),
        ({"users": Source(), "userhash": True}, "userhash=True needs"),
        ({"users": PlainPasswords({}.get), "userhash": True}, "userhash=True needs"),
    ],
)
def test_wrong_options_are_refused_at_construction(options, message):
    with pytest.raises(ConfigurationError, match=message):
        Digest(**{"users": {"ann": ANN}, "realm": "App", "secret": SECRET, **options})


# Files


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "users.htdigest"
    path.write_text(f"# comment\n\nann:App:{ANN_MD5}\nann:Other:{ANN_MD5[::-1]}\nann:App:{ANN}\nbob:App:{ANN_MD5}\n")
    return path


def test_a_file_holds_realms_and_both_algorithms(path):
    users = Htdigest(path)
    assert repr(users) == f"<Htdigest {str(path)!r}>"
    assert users.ha1("ann", "App", "SHA-256") == Account(ANN)
    assert users.ha1("ann", "App", "MD5") == Account(ANN_MD5)
    assert users.ha1("ann", "Other", "MD5") == Account(ANN_MD5[::-1])
    for nobody in (("bob", "App", "SHA-256"), ("bob", "Other", "MD5"), ("eve", "App", "MD5"), ("ann", "None", "MD5")):
        assert users.ha1(*nobody) is None
    assert [code(users, algorithm, algorithms=BOTH) for algorithm in BOTH] == [200, 200]


def test_of_two_lines_for_the_same_the_first_counts(path):
    path.write_text(f"ann:App:{ANN}\nann:App:{ANN[::-1]}\n")
    assert Htdigest(path).ha1("ann", "App", "SHA-256") == Account(ANN)


@pytest.mark.parametrize(
    "line",
    ["ann", "ann:App", "ann:App:", "ann:App:xyz", f"ann::{ANN}", f":App:{ANN}", f"a b:App:{ANN}", f"ann:App:{ANN}:x"],
)
def test_a_line_that_nobody_can_sign_in_by_is_told_and_hurts_nobody_else(path, line, caplog):
    path.write_text(f"{line}\nbob:App:{ANN}\n")
    users = Htdigest(path)
    assert list(users.names("App")) == ["bob"]
    assert f"{path}, line 1: this is no user:realm:HA1" in caplog.text
    assert ANN not in caplog.text


def test_a_file_that_spells_one_name_in_two_ways_is_refused_and_later_keeps_that_user_out(path, caplog):
    one, other = "\u00e9va", "e\u0301va"
    path.write_text(f"{one}:App:{ANN}\nann:App:{ANN}\n{other}:Other:{ANN}\n")
    users = Htdigest(path)
    assert users.ha1(one, "App", "SHA-256") == Account(ANN)
    again = f"{one}:App:{ANN}\n{other}:App:{ANN}\n{one}:App:{ANN_MD5}\nann:App:{ANN}\n"
    path.write_text(again)
    assert list(users.names("App")) == ["ann"]
    assert "lines 1 and 2: '\\xe9va' and 'e\\u0301va' are spellings of one name, their user stays out" in caplog.text
    with pytest.raises(ConfigurationError, match="lines 1 and 2"):
        Htdigest(path)


def test_a_name_of_a_file_is_found_in_whatever_spelling(path):
    name = "e\u0301va"
    path.write_text(f"{name}:App:{ha1(name, 'App', 'apple')}\n")
    client = Client(app_of(Htdigest(path)), name)
    assert client.get().text == "\u00e9va \u00e9va Digest"


def test_a_file_of_bad_lines_is_told_of_in_a_few(path, caplog):
    path.write_text("nobody\n" * 1000)
    Htdigest(path)
    assert len(caplog.records) == 11
    assert "1000 lines cannot be used" in caplog.text


def test_a_file_that_changes_counts_for_the_next_request(path):
    client = Client(app_of(Htdigest(path)))
    assert client.get(1).code == 200
    path.write_text(f"ann:App:{ha1('ann', 'App', 'pear')}\n")
    assert client.get(2).code == 401
    client.password = "pear"
    assert client.get(2).code == 200
    path.unlink()
    assert client.get(3).code == 503
    path.write_text(f"ann:App:{ANN}\n")
    client.password = "apple"
    assert client.get(3).code == 200


def test_a_file_that_cannot_be_read_at_first_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="Htdigest cannot read"):
        Htdigest(tmp_path / "missing")


def test_a_file_in_which_nobody_could_sign_in_is_refused(path):
    path.write_text(f"ann:Other:{ANN}\n")
    with pytest.raises(ConfigurationError, match=r"nobody for realm='App', only for 'Other'"):
        app_of(Htdigest(path))
    path.write_text(f"ann:App:{ANN_MD5}\n")
    with pytest.raises(ConfigurationError, match=r"no HA1 of SHA-256.*algorithms=\['MD5'\]"):
        app_of(Htdigest(path))
    path.write_text("")
    assert code(Htdigest(path)) == 401


def test_an_offer_that_nobody_can_take_is_told_where_others_can_be_taken(path, caplog):
    path.write_text(f"ann:App:{ANN_MD5}\n")
    assert [code(Htdigest(path), algorithm, algorithms=BOTH) for algorithm in BOTH] == [401, 200]
    assert f"{str(path)!r} has no HA1 of SHA-256" in caplog.text
    caplog.clear()
    assert code({"ann": ANN}, algorithms=BOTH) == 200
    assert "the mapping has no HA1 of MD5" in caplog.text


def test_a_group_file_gives_roles(path, tmp_path):
    (tmp_path / "groups").write_text("admin: ann\nstaff: bob ann\n")
    seen = []

    def tells(environ, start_response):
        seen.append(get_identity(environ).roles)
        return who(environ, start_response)

    users = Htdigest(path, tmp_path / "groups")
    app = AuthMiddleware(tells, Digest(users, realm="App", secret=SECRET), rules=[require("/", role="admin")])
    assert Client(app).get().code == 200
    assert seen == [{"admin", "staff"}]


def test_names_of_a_file_can_be_sent_as_digests(path):
    users = Htdigest(path)
    client = Client(app_of(users, userhash=True))
    hashed = ha1("ann", "App", "")  # not the digest of the name alone
    assert client.get(username=hashed, userhash="true").code == 401
    assert client.get(username=hexed("SHA-256", "ann", "App"), userhash="true").code == 200


def htdigest(*arguments, password):
    subprocess.run(
        [program("htdigest"), *map(str, arguments)],
        input=f"{password}\n{password}\n".encode(),
        check=True,
        capture_output=True,
        start_new_session=True,  # else it asks the terminal
        timeout=60,
    )


@pytest.mark.slow
def test_files_of_the_real_program_are_read(tmp_path):
    path = tmp_path / "made"
    htdigest("-c", path, "App", "ann", password="apple")
    htdigest(path, "App", "jäsøn", password='p"ä:s\\s')
    htdigest(path, "Other", "ann", password="pear")
    app = app_of(Htdigest(path), algorithms=("MD5",))
    assert Client(app).get().code == 200
    assert Client(app, "jäsøn", 'p"ä:s\\s').get().text == "jäsøn jäsøn Digest"
    assert Client(app, password="pear").get().code == 401
    htdigest(path, "App", "ann", password="plum")
    assert Client(app, password="plum").get().code == 200
    assert Client(app).get().code == 401


def test_the_store_of_the_options_may_be_any(tmp_path):
    with SQLiteStore(tmp_path / "store.db") as store:
        client = Client(app_of({"ann": ANN}, store=store))
        assert [client.get(count).code for count in (1, 2, 1)] == [200, 200, 401]
