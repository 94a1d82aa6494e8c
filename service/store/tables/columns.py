"""The kinds of column and index that the tables are made of."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, text
from sqlalchemy.types import TypeEngine

Big: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both: SQLite's INTEGER has them, and only INTEGER can be its row id."""

IN_KEY_ORDER: Final = {"sqlite_with_rowid": False}
"""SQLite keeps such a table in the order of its key, without a second tree of row ids."""


def id_column() -> Column[int]:
    """Return a key of 64 bits whose numbers are given, not counted up by the database."""
    return Column(Big, primary_key=True, autoincrement=False)


def big_column(*, null: bool = False, default: str | None = None) -> Column[int]:
    """Return a column of 64 bits; `default` is SQL."""
    return Column(Big, nullable=null, server_default=default)


def small_column(*, null: bool = False) -> Column[int]:
    """Return a column of 16 bits, for codes."""
    return Column(SmallInteger, nullable=null)


def index_of(name: str, *columns: str, where: str) -> Index:
    """Return an index of the rows for which `where` holds, in the words of PostgreSQL.

    Where they are rare it costs nothing to keep, and little to read.
    """
    in_sqlite = where.replace("true", "1").replace("false", "0")
    return Index(name, *columns, sqlite_where=text(in_sqlite), postgresql_where=text(where))
