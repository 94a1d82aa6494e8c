"""What the API answers with about users and tokens, and what it takes."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from broker.messages import Timestamp
from service.commands.passwords import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from service.commands.roles import Role, Scope
from service.commands.tokens import DAYS_DEFAULT, DAYS_MAX
from service.commands.users import NAME_CHARS_MAX

_PASSWORD = f"At least {PASSWORD_CHARS_MIN} characters."


class UserView(BaseModel):
    """A person who may log in, or could."""

    name: str = Field(description="To log in with.")
    role: Role = Field(description="What the user may do.")
    created_at: Timestamp = Field(description="Since when.")
    removed_at: Timestamp | None = Field(description="Until when; null: may log in.")


class UserList(BaseModel):
    """Every user there ever was."""

    items: list[UserView] = Field(description="By name.")


class NewUser(BaseModel):
    """A person who shall log in."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=NAME_CHARS_MAX, description="Small letters, digits and . _ @ -")
    role: Role = Field(default=Role.VIEWER, description="The first user must be an admin.")
    password: SecretStr = Field(max_length=PASSWORD_CHARS_MAX, description=_PASSWORD)


class UserChange(BaseModel):
    """What shall be otherwise with a user."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = Field(default=None, description="A new role; it holds at once.")
    password: SecretStr | None = Field(
        default=None,
        max_length=PASSWORD_CHARS_MAX,
        description=f"A new password; all logins of the user end. {_PASSWORD}",
    )


class TokenView(BaseModel):
    """What is known of a token."""

    name: str = Field(description="What it is for.")
    scope: Scope = Field(description="A role, or ingest or wall alone.")
    created_at: Timestamp = Field(description="When.")
    created_by: str = Field(description="By whom.")
    expires_at: Timestamp = Field(description="It ends by itself then.")
    last_used_at: Timestamp | None = Field(description="To a minute; null: never.")
    revoked_at: Timestamp | None = Field(description="Somebody ended it then; null: nobody did.")


class TokenList(BaseModel):
    """Every token there ever was."""

    items: list[TokenView] = Field(description="Newest first.")


class NewToken(BaseModel):
    """A token that shall be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64, description="What it is for.")
    scope: Scope = Field(default=Scope.VIEWER, description="A role, or ingest or wall alone.")
    days: int = Field(
        default=DAYS_DEFAULT, strict=True, ge=1, le=DAYS_MAX, description="How long it lasts."
    )


class CreatedToken(TokenView):
    """A token, this once."""

    token: str = Field(description="The token itself; only its hash is kept.")
