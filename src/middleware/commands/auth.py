"""`auth explain` says which rule decides a request; the others are for files of users and of keys."""

from __future__ import annotations

import time

from middleware.commands.terminal import asked_password, complain, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from middleware.auth.users import Finding


def add_to(commands: Any) -> None:
    """Add `auth` and its commands."""
    auth = commands.add_parser("auth", help="users, their passwords, and who may come where").add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    explaining = auth.add_parser(
        "explain",
        help="say which rule decides a request, and why",
        description="Loads the application of a PasteDeploy file, and asks its auth layer. Nothing is served.",
    )
    explaining.add_argument("method", metavar="METHOD", help="in capitals, as rules have it: GET")
    explaining.add_argument(
        "path", metavar="PATH", help="as the application is told it: decoded, with its mount, without a query"
    )
    explaining.add_argument("--config", metavar="FILE", required=True, help="the PasteDeploy file")
    explaining.add_argument("--section", metavar="NAME", default="main", help="of the app or pipeline; main by default")
    explaining.set_defaults(run=_explain)
    hashing = auth.add_parser(
        "hash",
        help="print the hash of a password, for a users file",
        description="Asks for the password on the terminal, or reads one line of standard input.",
    )
    hashing.add_argument(
        "--form",
        choices=["argon2id", "scrypt", "bcrypt"],
        help="argon2id where it is installed, else scrypt, by default; bcrypt for files that Apache reads too",
    )
    hashing.set_defaults(run=_print_hash)
    checking = auth.add_parser(
        "check",
        help="say what is wrong with a file of users",
        description="Looks at each line of a file of htpasswd. The exit status is 1 where there is something to mend.",
    )
    checking.add_argument("file", metavar="FILE", help="of users, as Htpasswd(path) takes it")
    checking.add_argument(
        "--plain", action="store_true", help="as Htpasswd(plain=True): passwords may stand as they are"
    )
    checking.add_argument("--case-map", action="store_true", help="as Htpasswd(case_map=True): Ann is ann")
    checking.set_defaults(run=_check)
    key = auth.add_parser(
        "apikey",
        help="make an API key",
        description="Prints the key, which nobody can read afterwards, and the line for a file of keys; or only the "
        "key, and adds the line to --file.",
    )
    key.add_argument("--user", metavar="NAME", required=True, help="whose key it is")
    key.add_argument("--scope", action="append", default=[], help="what rules ask for; repeatable")
    key.add_argument("--role", action="append", default=[], help="what rules ask for; repeatable")
    key.add_argument("--expires", metavar="DATE", help="2027-01-31, in UTC; never by default")
    key.add_argument("--prefix", default="key", help="how the key begins, so that it is known when it is found; key")
    key.add_argument("--file", metavar="FILE", help="the file of keys, which is made where it is missing")
    key.set_defaults(run=_make_key)


def _explain(asked: Namespace) -> int:
    from middleware.auth import AuthMiddleware
    from middleware.integrations.pastedeploy import load
    from middleware.integrations.wrapped import layer_in

    layer = layer_in(load(asked.config, asked.section), AuthMiddleware)
    if layer is None:
        complain(f"{asked.section} in {asked.config} has no auth layer: name a pipeline by --section", "auth explain")
        return 1
    say(str(layer.explain(asked.method, asked.path)))
    return 0


def _print_hash(asked: Namespace) -> int:
    from middleware.auth.passwords import hash_password

    password = asked_password()
    if not password:
        complain("there is no password to hash", "auth hash")
        return 2
    try:
        say(hash_password(password, form=asked.form))
    except ValueError as error:
        complain(str(error), "auth hash")
        return 2
    return 0


def _check(asked: Namespace) -> int:
    from middleware.auth.users import check_file

    try:
        findings = check_file(asked.file, plain=asked.plain, case_map=asked.case_map)
    except OSError as error:
        complain(f"{asked.file}: {error.strerror}", "auth check")
        return 1
    wrong = [finding for finding in findings if finding.problems]
    for finding in wrong:
        say(f"line {finding.line}: {_name_of(finding)}{', '.join(finding.problems)}")
    if any("of htdigest" in finding.problems for finding in wrong):
        say(
            f"lines of htdigest are for Digest(Htdigest({asked.file!r}), realm=...), which says what is wrong with them"
        )
    forms = sorted({finding.form for finding in findings if finding.form is not None})
    say(
        f"users: {len(findings) - len(wrong)} of {len(findings)} without fault; passwords: {', '.join(forms) or 'none'}"
    )
    return 1 if wrong else 0


def _name_of(finding: Finding) -> str:
    form = "" if finding.form is None else f" ({finding.form})"
    return f"{finding.user!a}{form}: " if finding.user else ""


def _make_key(asked: Namespace) -> int:
    from middleware.auth.api_keys import new_api_key
    from middleware.auth.key_file import add_to_file, line_of, seconds_of

    scopes = [scope for several in asked.scope for scope in several.split()]
    try:
        expires_at = None if asked.expires is None else seconds_of(asked.expires)
        if expires_at is not None and expires_at <= time.time():
            raise ValueError(f"--expires {asked.expires} is over already")
        key, record = new_api_key(asked.prefix, user=asked.user, scopes=scopes, roles=asked.role, expires_at=expires_at)
    except ValueError as error:
        complain(str(error), "auth apikey")
        return 2
    if asked.file is not None:
        try:
            add_to_file(asked.file, record)
        except OSError as error:
            complain(f"{asked.file}: {error.strerror}", "auth apikey")
            return 1
    say(key)
    if asked.file is None:
        say(line_of(record))
    return 0
