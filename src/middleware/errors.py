"""What a user of the toolkit may want to catch."""


class MiddlewareError(Exception):
    """Every error of the toolkit is one."""


class ConfigurationError(MiddlewareError, ValueError):
    """An option is wrong. Raised at construction, with a sentence that says what to do."""


class MissingExtra(MiddlewareError, ImportError):
    """An optional package is not installed. The message names the extra that installs it."""


class LayerMissing(MiddlewareError, LookupError):
    """An accessor was used on a request that did not pass the layer it belongs to."""


class ClientGone(MiddlewareError, ConnectionError):
    """The client left before the body that it had announced was there. An OSError, which frameworks expect of it."""


class StoreError(MiddlewareError):
    """A store cannot answer: its backend is down, its file is damaged or read-only."""


class ValueTooLarge(StoreError):
    """A value does not fit into the store."""


class CookieTooLarge(MiddlewareError, ValueError):
    """A cookie is larger than browsers keep (RFC 6265bis, section 5: 4096 bytes of name and value)."""


class SessionTooLarge(CookieTooLarge):
    """A session does not fit into its cookie or its record. The message names the largest keys."""


class SessionClosed(MiddlewareError, RuntimeError):
    """A session was changed, or first used, after the head of the answer had left: too late to be kept."""


class ReauthenticationRequired(MiddlewareError):
    """The login of a session is older than `session.require_fresh` allows: ask for the password again."""


class LockTimeout(MiddlewareError, TimeoutError):
    """`with session.lock()` waited for longer than its `timeout`: another request holds the lock."""


class TooManySessions(MiddlewareError):
    """A user has as many sessions as `max_sessions` allows, and a further login is refused."""
