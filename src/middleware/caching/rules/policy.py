"""The choices that the RFCs leave to a shared cache, as one frozen value, judged when it is made."""

from __future__ import annotations

from middleware.caching.rules.selecting import TOKEN
from middleware.caching.rules.tags import TAG_FIELDS
from middleware.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar, Literal, Self

_SWITCHES = (
    "guess_for_cookies",
    "store_private_fields",
    "store_partial",
    "store_post",
    "user_is_authorization",
    "guard_unkeyed",
    "honour_reload",
    "only_if_cached",
    "strip_tags",
    "strip_targeted",
)
_FIELDS = ("heuristic", "store_set_cookie", "stale_on_failure", "targeted", *_SWITCHES)
_TAG_FIELDS = tuple(name.lower() for name in TAG_FIELDS)


class CachePolicy:
    """What a shared cache does where the RFCs leave it a choice. A frozen value; the default is safe for any site.

    `heuristic` (0.1): where an answer says nothing of its freshness, the share of the time since Last-Modified for
    which it counts as fresh, at most a day; 0 never guesses. `guess_for_cookies` (False): guess so, and store without
    explicit freshness at all, also where the request carried a cookie.

    `store_set_cookie` (False): store answers that set a cookie; `"public"` only those that say they are, True those
    with explicit freshness. `store_private_fields` (False): store the rest of an answer with `private="field"`.
    `store_partial` (False): store parts (206). `store_post` (False): store the answer to a POST that says it is that of
    its own URL. `user_is_authorization` (True): REMOTE_USER and AUTH_TYPE in environ count as Authorization.
    `guard_unkeyed` (True): fields that applications reflect without Vary are part of the key.

    `honour_reload` (False): a client's `no-cache` and `max-age`, with which it can load the application at will, count.
    `only_if_cached` (True): a client's `only-if-cached` does. `stale_on_failure` (600.0): seconds past its lifetime in
    which an answer may be sent where the application fails. `targeted`: the fields of RFC 9213 that replace
    Cache-Control and Expires here, the first that is there counting; `strip_targeted` (False): remove them from what
    clients get; `strip_tags` (False): likewise Cache-Tag and Surrogate-Key.

    `CachePolicy.CONFORMANCE` uses all that the RFCs permit, for measuring and for sites without users.

    Raises ConfigurationError for an option that is wrong.
    """

    __slots__ = (*_FIELDS, "stripped", "targeted_names")

    CONFORMANCE: ClassVar[CachePolicy]

    heuristic: float
    guess_for_cookies: bool
    store_set_cookie: bool | Literal["public"]
    store_private_fields: bool
    store_partial: bool
    store_post: bool
    user_is_authorization: bool
    guard_unkeyed: bool
    honour_reload: bool
    only_if_cached: bool
    stale_on_failure: float
    targeted: tuple[str, ...]
    strip_tags: bool
    strip_targeted: bool
    targeted_names: tuple[str, ...]
    """`targeted` in lower case."""
    stripped: frozenset[str]
    """The fields, in lower case, that no client gets."""

    def __init__(
        self,
        *,
        heuristic: float = 0.1,
        guess_for_cookies: bool = False,
        store_set_cookie: bool | Literal["public"] = False,
        store_private_fields: bool = False,
        store_partial: bool = False,
        store_post: bool = False,
        user_is_authorization: bool = True,
        guard_unkeyed: bool = True,
        honour_reload: bool = False,
        only_if_cached: bool = True,
        stale_on_failure: float = 600.0,
        targeted: Sequence[str] = ("CDN-Cache-Control",),
        strip_tags: bool = False,
        strip_targeted: bool = False,
    ) -> None:
        switches = (
            guess_for_cookies,
            store_private_fields,
            store_partial,
            store_post,
            user_is_authorization,
            guard_unkeyed,
            honour_reload,
            only_if_cached,
            strip_tags,
            strip_targeted,
        )
        for field, switch in zip(_SWITCHES, switches, strict=True):
            if type(switch) is not bool:
                raise ConfigurationError(f"{field} is True or False, not {switch!r}")
            object.__setattr__(self, field, switch)
        if not (_is_number(heuristic) and heuristic <= 1):
            raise ConfigurationError(f"heuristic is a share from 0 to 1, not {heuristic!r}")
        if not (_is_number(stale_on_failure) and stale_on_failure < float("inf")):
            raise ConfigurationError(f"stale_on_failure is a number of seconds, 0 or more, not {stale_on_failure!r}")
        if type(store_set_cookie) is not bool and store_set_cookie != "public":
            raise ConfigurationError(f'store_set_cookie is True, False or "public", not {store_set_cookie!r}')
        names = _field_names(targeted)
        object.__setattr__(self, "heuristic", heuristic)
        object.__setattr__(self, "stale_on_failure", stale_on_failure)
        object.__setattr__(self, "store_set_cookie", store_set_cookie)
        object.__setattr__(self, "targeted", tuple(targeted))
        object.__setattr__(self, "targeted_names", names)
        stripped = (*(names if strip_targeted else ()), *(_TAG_FIELDS if strip_tags else ()))
        object.__setattr__(self, "stripped", frozenset(stripped))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a policy does not change ({name}): make another with replace()")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CachePolicy) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(tuple(self._values().values()))

    def __repr__(self) -> str:
        return f"CachePolicy({', '.join(f'{field}={value!r}' for field, value in self._values().items())})"

    def _values(self) -> dict[str, object]:
        return {field: getattr(self, field) for field in _FIELDS}

    def replace(self, **changes: object) -> Self:
        """The same policy but for these options. A TypeError for an unknown one."""
        return type(self)(**{**self._values(), **changes})  # type: ignore[arg-type]  # judged by the constructor


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= 0


def _field_names(targeted: object) -> tuple[str, ...]:
    wrong = f"targeted names fields such as CDN-Cache-Control, in a list, not {targeted!r}"
    if isinstance(targeted, str | bytes):
        raise ConfigurationError(wrong)
    try:
        names = tuple(name.lower() for name in targeted)  # type: ignore[attr-defined]  # judged by the attempt
    except (TypeError, AttributeError):
        raise ConfigurationError(wrong) from None
    for name in names:
        if not name or not TOKEN.issuperset(name) or name in ("cache-control", "expires", "pragma"):
            raise ConfigurationError(wrong)
    return names


DEFAULT = CachePolicy()
CachePolicy.CONFORMANCE = CachePolicy(
    guess_for_cookies=True,
    store_set_cookie=True,
    store_private_fields=True,
    store_partial=True,
    store_post=True,
    user_is_authorization=False,
    guard_unkeyed=False,
    honour_reload=True,
)
