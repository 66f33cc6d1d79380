"""API keys: a long secret with every request, in a header field of its own or as `Authorization: ApiKey`.

A key is never read from the query of a URL, which ends in logs, histories and Referer fields. Failures are not
throttled: a secret of 256 random bits is not guessed, and counting them would cost more than to check a key.
"""

from __future__ import annotations

import time

from middleware.auth.api_keys import ApiKeyRecord, id_of, is_right
from middleware.auth.identity import Identity
from middleware.auth.schemes.authorization import is_one_of_several, realm_parameter
from middleware.auth.schemes.base import Refused, Unavailable
from middleware.auth.telling import tell_unavailable
from middleware.errors import ConfigurationError
from middleware.headers import environ_key
from middleware.options import check_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Protocol
    from wsgiref.types import WSGIEnvironment

    from middleware.auth.schemes.base import Freshness

    class RecordLike(Protocol):
        """Anything with these; `scopes`, `roles`, `expires_at` and `disabled` are looked at where they exist."""

        @property
        def id(self) -> str: ...

        @property
        def sha256(self) -> str: ...

        @property
        def user(self) -> str: ...

    Found = RecordLike | None
    Find = Callable[[str], Found]

    class KeySource(Protocol):
        """What has a `get(id)`: the record of a key, None for an unknown one."""

        def get(self, key_id: str, /) -> Found: ...

    Keys = Mapping[str, ApiKeyRecord] | KeySource | Find

LONGEST = 8192  # characters of a field

_FIELD_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"


class ApiKey:
    """API keys in a header field, or as `Authorization: ApiKey <key>`.

    `keys`: a mapping of ids to the records that `new_api_key` gives, `ApiKeys(path)`, or a callable that takes an id
    and gives a record or None. It is asked for every request: a key that is gone or disabled is refused from the next
    one on. `header`: the field; None for `Authorization` alone. `realm`: ASCII, for the challenge. `clock`: seconds
    since 1970.

    Raises ConfigurationError.
    """

    name = "apikey"
    auth_type = "apikey"
    freshness: Freshness = "never"

    def __init__(
        self,
        keys: Keys,
        *,
        header: str | None = "X-API-Key",
        realm: str = "API",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find = _finder(keys)
        if header is not None and (not isinstance(header, str) or not header or header.strip(_FIELD_NAME)):
            raise ConfigurationError(f"header= is the name of a field, letters, digits and dashes, not {header!r}")
        if header is not None and header.lower() in ("authorization", "cookie", "host"):
            raise ConfigurationError(
                f"header= is a field of its own, not {header}; Authorization: ApiKey ... is read besides"
            )
        self.reads: tuple[str, ...] = ("Authorization",) if header is None else (header, "Authorization")
        self._field = None if header is None else environ_key(header)
        self._challenges = (f"ApiKey {realm_parameter(realm)}",)
        check_clock(clock)
        self._clock = clock

    def authenticate(self, environ: WSGIEnvironment, /) -> Identity | Refused | None:
        """Whose key this request has. Raises Unavailable."""
        given: str = environ.get(self._field, "") if self._field is not None else ""
        authorization: str = environ.get("HTTP_AUTHORIZATION", "")
        found = key_in(authorization) if authorization else None
        if given:
            if found is not None:
                return Refused("several credentials", 400)
            found = Refused("several credentials", 400) if "," in given else given.strip(" ")
        return self._check(environ, found) if isinstance(found, str) else found

    def challenges(self, environ: WSGIEnvironment, refused: Refused | None, /) -> Sequence[str]:  # noqa: ARG002 - the same for everybody
        """The value of WWW-Authenticate."""
        return self._challenges

    def _check(self, environ: WSGIEnvironment, key: str) -> Identity | Refused:
        key_id = id_of(key)
        if key_id is None:
            return Refused("malformed")
        record = self._record(environ, key_id)
        if not is_right(key, None if record is None else record.sha256) or record is None:
            return Refused("wrong key", user=key_id if record is None else record.user)
        if record.disabled:
            return Refused("disabled", user=record.user)
        if record.expires_at is not None and self._clock() >= record.expires_at:
            return Refused("expired", user=record.user)
        return Identity(
            record.user,
            self.name,
            roles=record.roles,
            scopes=record.scopes,
            expires_at=record.expires_at,
            factors=("key",),
            claims={"key_id": key_id},
        )

    def _record(self, environ: WSGIEnvironment, key_id: str) -> ApiKeyRecord | None:
        try:
            return record_from(self._find(key_id))
        except Exception as error:  # whatever it is, nobody can be identified
            tell_unavailable(environ, "the source of API keys", error, self.name)
            raise Unavailable from error


def key_in(field: str) -> str | Refused | None:
    """The key in an Authorization field; Refused for a bad one, None where it is of another scheme."""
    text = field.strip(" ")
    if len(text) > LONGEST:
        return Refused("too long") if text[:6].lower() == "apikey" else None
    if "," in text:  # a field that was sent twice arrives as a list
        return Refused("several credentials", 400) if is_one_of_several("apikey", text) else None
    scheme, space, key = text.partition(" ")
    if scheme.partition("\t")[0].lower() != "apikey":
        return None
    return key.strip(" ") if space and "\t" not in scheme else Refused("malformed")


def record_from(found: Found) -> ApiKeyRecord | None:
    """What a source gave, as a record. Raises whatever comes of it where it is none."""
    if found is None or isinstance(found, ApiKeyRecord):
        return found
    rest: dict[str, Any] = {
        name: getattr(found, name) for name in ("scopes", "roles", "expires_at") if hasattr(found, name)
    }
    return ApiKeyRecord(found.id, found.sha256, found.user, disabled=bool(getattr(found, "disabled", False)), **rest)


def _finder(keys: Keys) -> Find:
    source: Any = keys
    find: Find = getattr(source, "get", source)
    if not callable(find) or isinstance(keys, type):
        raise ConfigurationError(
            f"keys= takes a mapping of ids to records of new_api_key, ApiKeys(path), or a callable, not "
            f"{type(keys).__name__}"
        )
    if isinstance(keys, dict):
        _check_mapping(keys.items())
    return find


def _check_mapping(items: Iterable[tuple[object, object]]) -> None:
    for key_id, record in items:
        if not isinstance(record, ApiKeyRecord) or record.id != key_id:
            raise ConfigurationError(
                "keys= maps the id of each key to its record: key, record = new_api_key(user=...), {record.id: record}"
            )
