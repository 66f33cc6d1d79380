"""What goes wrong with a Redis, told in sentences that say what to do. Errors in, StoreError out.

Its rule: no key, value or password in a message. Redis repeats the arguments of a command that it does not know.
"""

from __future__ import annotations

from middleware.errors import StoreError, ValueTooLarge

_REPEATED = "with args beginning with"

# What to do, by the code that an answer begins with; in a script's error it stands further on.
_ADVICE = {
    "OOM": "It has reached its maxmemory: raise that, or let it evict",
    "READONLY": "It is a replica: let the client connect to the primary",
    "MISCONF": "It cannot save to its disk and refuses writes: look at its disk and its log",
    "NOREPLICAS": "It has fewer replicas than min-replicas-to-write: look at its replicas",
    "MASTERDOWN": "It is a replica that has lost its primary: look whether the primary runs",
    "LOADING": "It is reading its data after a start: the next call tries again",
    "BUSY": "A script of another program keeps it busy: end that with SCRIPT KILL",
    "NOAUTH": "Give the client the right user name and password",
    "NOPERM": "Let its user run GET, MGET, SET, DEL, EVAL and EVALSHA under the store's prefix; to clear, SCAN, UNLINK",
    "WRONGTYPE": "Another program has written this key: give the store a prefix of its own",
    "CLUSTERDOWN": "Not all slots of the cluster are served: look at CLUSTER INFO",
    "MOVED": "Where the server is one of a cluster, take redis.RedisCluster as the client",
}

# redis-py takes the code out of the text where it has a class for it. The nearest class counts.
_CODES = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "NOAUTH",
    "AuthenticationWrongNumberOfArgsError": "NOAUTH",
    "ClusterDownError": "CLUSTERDOWN",
    "SlotNotCoveredError": "CLUSTERDOWN",
    "AskError": "MOVED",
    "MovedError": "MOVED",
}
_BY_KIND = {
    "TimeoutError": "Look whether it is overloaded; a write may have been done all the same",
    "ConnectionError": "Look whether it runs and can be reached; a write may have been done all the same",
    "ResponseError": "Look at the server's log and its settings",
}


class ScriptUnknown(StoreError):
    """The server does not have the script, and has done nothing."""


def known_errors() -> tuple[type[Exception], ...]:
    """What redis-py raises where a command fails."""
    from redis.exceptions import ChildDeadlockedError, RedisClusterException, RedisError

    return (RedisError, RedisClusterException, ChildDeadlockedError, OSError)


def explained(error: BaseException, place: str) -> StoreError:
    """The StoreError for one of them."""
    from redis.exceptions import NoScriptError

    text = str(error).partition(_REPEATED)[0].rstrip(" ,.")
    if isinstance(error, NoScriptError):
        return ScriptUnknown(f"{place}: {text}")
    if "invalid bulk length" in text:
        return ValueTooLarge(f"{place}: the value is above its proto-max-bulk-len")
    return StoreError(f"{place}: {text}. {_advice(error, text)}")


def told_from(error: BaseException) -> BaseException | None:
    """The error as a cause, but for one that shows what must not be shown."""
    return None if _REPEATED in str(error) else error


def _advice(error: BaseException, text: str) -> str:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    codes = [_CODES[kind] for kind in kinds if kind in _CODES] + [word.lstrip("-") for word in text.split()]
    for code in codes:
        if code in _ADVICE:
            return _ADVICE[code]
    return next((_BY_KIND[kind] for kind in kinds if kind in _BY_KIND), "The next call tries again")
