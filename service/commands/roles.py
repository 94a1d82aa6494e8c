"""Who may do what, from least to most. Pure: no I/O."""

from enum import StrEnum


class Role(StrEnum):
    """What a person, or a script with a token, may do; each may what those before may."""

    VIEWER = "viewer"
    """See and export everything."""
    OPERATOR = "operator"
    """Acknowledge alerts."""
    ENGINEER = "engineer"
    """Shelve alerts; try, activate and shadow rulebooks; resubmit and close rejections."""
    ADMIN = "admin"
    """Look after users and tokens."""

    def includes(self, other: "Role") -> bool:
        """Tell whether this role may all that the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What a token opens: what a role may, or one thing alone."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"
    INGEST = "ingest"
    """`POST /ingest`, and nothing else."""
    WALL = "wall"
    """The wall and what it shows, and nothing else."""

    @property
    def role(self) -> Role | None:
        """The role it stands for; None: it opens one thing alone."""
        return None if self in {Scope.INGEST, Scope.WALL} else Role(self.value)
