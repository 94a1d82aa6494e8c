"""What the API answers with about a machine's past."""

from pydantic import BaseModel, Field

from broker.messages import Timestamp
from ui.api.alert_models import StoredAlert


class Stretch(BaseModel):
    """A stretch of time within the period that was asked for."""

    since: Timestamp
    until: Timestamp | None = Field(description="Null: it reaches the end of the period.")


class ProgramChange(BaseModel):
    """Runs name this program from here on."""

    since: Timestamp = Field(description="Start of the first run with it in the period.")
    program: str | None
    program_version: str | None


class SetUp(BaseModel):
    """What a run was tested with, as its message said."""

    program: str | None
    program_version: str | None
    fixture: str | None
    operator: str | None


class MachineHistory(BaseModel):
    """What a machine did through a period. States are not stored: they are made of what is."""

    machine_id: str
    since: Timestamp
    until: Timestamp
    silent_after_s: float
    first_at: Timestamp | None = Field(description="When its first run that is stored arrived.")
    silences: list[Stretch] = Field(
        description="Longer than silent_after_s without a result: gaps between arrivals. Oldest"
        " first, like every list here."
    )
    offline: list[Stretch] = Field(description="While an alert of kind offline was not closed.")
    breaks: list[Stretch] = Field(description="Planned, by `plant.breaks`.")
    alerts: list[StoredAlert] = Field(description="That lived in the period.")
    programs: list[ProgramChange] = Field(description="The first is that of the first run.")
    set_up: SetUp | None = Field(description="Of the newest run in the period.")
    is_complete: bool = Field(description="False: of some list only the newest 500 are here.")
