"""The table of an SQLStore, and what is said to it. Built once for each store; no connection is made here.

Its rule: a statement decides by itself, in one go, what it finds and what it writes. The one exception is `add` on
MySQL and MariaDB, whose count of rows does not tell an entry that was kept from one that was made.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from middleware.stores.arguments import HASH_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Executable

MAX_PREFIX = 64
SWEEP = "sweep"  # the key of the row that says when the next sweep is due; no entry's key is as short


def make_table(name: str) -> Table:
    """The table called `name`, or `schema.name`, in a MetaData of its own."""
    schema, _, bare = name.rpartition(".")
    # Byte by byte: a collation that ignores case would take two prefixes for one.
    text = String(MAX_PREFIX + HASH_LENGTH)
    text = text.with_variant(postgresql.VARCHAR(MAX_PREFIX + HASH_LENGTH, collation="C"), "postgresql")
    text = text.with_variant(
        mysql.VARCHAR(MAX_PREFIX + HASH_LENGTH, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
    )
    return Table(
        bare,
        MetaData(schema=schema or None),
        Column("key", text, primary_key=True),
        Column("value", LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
        Column("expires", Double(), nullable=True),  # seconds since 1970; NULL: never
        Index(f"{bare}_expires", "expires"),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )


class Statements:
    """What a store says to its table. Parameters: name, new, old, until (when the entry expires), now."""

    def __init__(self, table: Table, dialect: str, prefix: str, batch: int) -> None:
        key, value, expires = table.c.key, table.c.value, table.c.expires
        now = bindparam("now", type_=expires.type)
        named = key == bindparam("name", type_=String())
        live = or_(expires.is_(None), expires > now)
        row = {
            "key": bindparam("name", type_=String()),
            "value": bindparam("new", type_=value.type),
            "expires": bindparam("until", type_=expires.type),
        }
        changed = {"value": row["value"], "expires": row["expires"]}

        names = bindparam("names", expanding=True, type_=String())
        self.get = select(value).where(named, live)
        self.read = select(key, value).where(key.in_(names), live)
        self.swap = update(table).where(named, value == bindparam("old", type_=value.type), live).values(changed)
        self.delete = delete(table).where(named, live)
        self.insert = insert(table).values(row).execution_options(preserve_rowcount=True)
        self.renew = update(table).where(named, expires <= now).values(changed)
        self.set, self.add = _upserts(table, dialect, row, expires <= now)
        self.find = select(key).where(named, live)
        # MySQL and MariaDB may count the rows that they changed, and not those that they found.
        self.same = (
            select(key).where(named, value == row["value"], expires.is_not_distinct_from(row["expires"]))
            if self.add is None
            else None
        )

        # A row that is written anew meanwhile is no longer expired, and stays: hence the condition in both.
        keys = bindparam("keys", expanding=True, type_=String())
        collectable = (expires <= now) & (key != literal(SWEEP, String()))
        self.expired = select(key).where(collectable).limit(batch)
        self.collect = delete(table).where(key.in_(keys), expires <= now)
        self.mine = select(key).where(_under(prefix, key)).limit(batch)
        self.drop = delete(table).where(key.in_(keys))
        # A clock that was set back must not put sweeps off.
        self.claim = (
            update(table)
            .where(key == literal(SWEEP, String()), or_(expires <= now, expires > row["expires"]))
            .values(expires=row["expires"])
        )


def _upserts(
    table: Table, dialect: str, row: Mapping[str, ColumnElement[object]], over: ColumnElement[bool]
) -> tuple[Executable, Executable | None]:
    """`set`, and `add` where one statement can tell whether it wrote."""
    if dialect in ("mysql", "mariadb"):
        statement = mysql.insert(table).values(row)
        return statement.on_duplicate_key_update(
            value=statement.inserted.value, expires=statement.inserted.expires
        ), None
    upsert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table).values(row)
    upsert = upsert.execution_options(preserve_rowcount=True)
    new = {"value": upsert.excluded.value, "expires": upsert.excluded.expires}
    return (
        upsert.on_conflict_do_update(index_elements=[table.c.key], set_=new),
        upsert.on_conflict_do_update(index_elements=[table.c.key], set_=new, where=over),
    )


def _under(prefix: str, key: ColumnElement[str]) -> ColumnElement[bool]:
    """The keys that are this prefix and a hash: by a range, for which there is an index, and of that length."""
    first, last = prefix + "0" * HASH_LENGTH, prefix + "f" * HASH_LENGTH
    return key.between(literal(first, String()), literal(last, String())) & (func.length(key) == len(first))
