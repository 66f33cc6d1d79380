"""What a database said went wrong, as a StoreError that says what to do. Errors in, sentences out.

Its rule: a sentence holds the server's own words at most, never a key, a value or a password.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from middleware.errors import StoreError, ValueTooLarge

# By PostgreSQL's SQLSTATE, by the number of MySQL and MariaDB, by SQLite's name.
DUPLICATE = "1062"
_CONFLICTS = {"40001", "40P01", "1020", "1213"}  # the whole transaction was taken back, and may be tried again
_NO_TABLE = {"42P01", "1146"}
_TOO_LARGE = {"54000", "1118", "1153", "1406", "SQLITE_TOOBIG"}
_ADVICE = {
    "The server only reads: a stand-by, or set so by its administrator": {
        "25006", "1290", "1792", "1836", "SQLITE_READONLY",
    },
    "Its disk is full": {"53100", "1021", "1114", "SQLITE_FULL"},
    "It has all the clients that it takes: fewer processes, a smaller pool_size, or a higher max_connections": {
        "53300", "1040", "1203",
    },
    "Another transaction kept the row or the table locked for too long: find it": {
        "55P03", "57014", "1205", "SQLITE_BUSY", "SQLITE_LOCKED",
    },
    "The database's user needs SELECT, INSERT, UPDATE and DELETE on the table, and whoever makes it CREATE": {
        "42501", "1044", "1142",
    },
}  # fmt: skip
_NEXT_CALL = "The next call tries again"


def code_of(error: BaseException) -> str:
    """The database's own code for an error; "" where it has none."""
    said = getattr(error, "orig", None)
    first = said.args[0] if isinstance(said, BaseException) and said.args else None
    if isinstance(first, dict):  # pg8000
        return str(first.get("C", ""))
    number = getattr(said, "errno", None) or first
    if isinstance(number, int):
        return str(number)
    code = getattr(said, "sqlstate", None) or getattr(said, "pgcode", None) or getattr(said, "sqlite_errorname", None)
    return str(code or "")


def is_conflict(error: BaseException) -> bool:
    """Whether two transactions came into each other's way, and this one was taken back."""
    return code_of(error) in _CONFLICTS


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection is gone, and what was asked through it has no answer."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def explain(error: Exception, where: str, table: str, *, unsure: bool) -> StoreError:
    """The error that callers get. `unsure` says that a write was on its way when it happened."""
    if isinstance(error, StatementError):
        error.hide_parameters = True  # they are keys and values, and would stand in a traceback
    code = code_of(error)
    words = _words(error)
    if code in _NO_TABLE or "no such table" in words:
        return StoreError(
            f"{where} has no table {table!r}: make it with create_table(), or `python -m middleware stores create URL`"
        )
    if code in _TOO_LARGE:
        return ValueTooLarge(f"{where}: the value is above the database's limit: {words}")
    if isinstance(error, PoolTimeout):
        return StoreError(
            f"{where}: no connection came free in time: give the engine a larger pool_size, or find what keeps them"
        )
    if is_disconnect(error) and unsure:
        return StoreError(
            f"{where}: the connection broke during a write, and whether the database kept it is unknown: {words}"
        )
    advice = next((advice for advice, codes in _ADVICE.items() if code in codes), _NEXT_CALL)
    return StoreError(f"{where}: {words}. {advice}")


def _words(error: Exception) -> str:
    """What the server or the driver said, in one line. Further lines may show a row."""
    said = getattr(error, "orig", None) or error
    text = next((part for part in said.args if isinstance(part, str)), "") or str(said)
    return text.strip().partition("\n")[0].rstrip(".") or type(said).__name__
