"""The words of a plant, each once: everything else holds their number."""

from sqlalchemy import Column, Index, Integer
from sqlmodel import Field, SQLModel

from service.store.tables.columns import small_column


class NameRow(SQLModel, table=True):
    """The text of an integer key. `kind` is a `codes.NameKind`."""

    __tablename__ = "name"
    __table_args__ = (Index("name_by_text", "kind", "text", unique=True),)

    id: int = Field(sa_column=Column(Integer, primary_key=True))
    kind: int = Field(sa_column=small_column())
    text: str
