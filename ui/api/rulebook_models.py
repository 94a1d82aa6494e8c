"""What the API answers with about rulebooks and changes, for its OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

from broker.messages import Timestamp


class RulebookSummary(BaseModel):
    """One version."""

    version: int = Field(description="Its number; the highest is in force.")
    is_active: bool = Field(description="In force now.")
    author: str = Field(description="Who activated it; `rules file`: a service, at its start.")
    reason: str = Field(description="Why.")
    activated_at: Timestamp = Field(description="When.")


class RulebookList(BaseModel):
    """Every version."""

    items: list[RulebookSummary] = Field(description="The one in force first.")


class RulebookDetails(RulebookSummary):
    """One version with its rules."""

    toml: str = Field(description="As its author wrote it.")
    rules: list[dict[str, Any]] = Field(description="In order; the keys of the TOML.")


class FieldDifference(BaseModel):
    """One field of a rule."""

    field: str = Field(description="A key of the TOML.")
    before: Any = Field(description="Null: left out.")
    after: Any = Field(description="Null: left out.")


class RuleDifference(BaseModel):
    """One rule that differs."""

    rule_id: str = Field(description="Its id.")
    kind: str = Field(description="added, removed or changed.")
    sentence: str = Field(description="In words.")
    fields: list[FieldDifference] = Field(description="What changed, or what the rule sets.")


class RulebookDifference(BaseModel):
    """What turns one version into another."""

    before: int = Field(description="The one version.")
    after: int = Field(description="The other.")
    changes: list[RuleDifference] = Field(description="Empty: they judge alike.")


class CheckedDraft(BaseModel):
    """Whether a draft could be activated."""

    valid: bool = Field(description="It could.")
    error: str | None = Field(description="What is wrong, where, and what to do.")
    rule_count: int | None = Field(description="How many rules it has.")
    changes: list[RuleDifference] | None = Field(
        description="Against the version in force, or `against`."
    )
    based_on: int = Field(description="The version in force; 0: none. Send it with POST.")


class AuditEntry(BaseModel):
    """One change."""

    audit_id: int = Field(description="Rises by one; no number is ever missing.")
    at: Timestamp = Field(description="When.")
    actor: str = Field(description="Who.")
    action: str = Field(description="What, in a word, such as activate.")
    subject: str = Field(description="What it was done to, such as rulebook 4.")
    reason: str = Field(description="Why.")
    details: dict[str, Any] = Field(description="What was before and is now.")


class AuditPage(BaseModel):
    """A part of the audit trail, newest first."""

    items: list[AuditEntry]
    next_cursor: int | None = Field(description="Where the list goes on; null at its end.")
