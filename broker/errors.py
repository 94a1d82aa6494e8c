"""The errors a person can do something about. Pure: no I/O.

    YieldlineError
    ├── SettingsError        a setting, flag or file is wrong                  exit 2
    ├── RulebookError        a rulebook cannot be used                         exit 2
    │   └── RulebookConflict     somebody else activated another meanwhile
    ├── AlertError           an alert cannot be acted on as asked
    ├── ResubmitError        a rejection cannot be resubmitted or closed as asked
    ├── AccountError         a user or a token cannot be changed as asked      exit 2
    ├── BrokerUnavailable    the MQTT broker cannot be reached: wait, retry
    ├── BrokerRefused        the broker said no (login, rights): a person acts exit 2
    ├── StoreUnavailable     the database cannot be reached: hold, retry
    ├── StoreRefused         the database said no (login, schema): a person    exit 2
    └── SpoolFull            the agent's disk is full: stop reading

Each carries one sentence: what happened, where, and what to do. Never a secret.
"""


class YieldlineError(Exception):
    """Base of every error that is ours to explain; `str(error)` is the sentence shown."""


class SettingsError(YieldlineError):
    """A setting, flag or configuration file is wrong."""


class RulebookError(YieldlineError):
    """A rulebook cannot be used; the one in force stays."""


class RulebookConflict(RulebookError):  # noqa: N818 - the name states the fact
    """A rulebook was made from a version that is no longer in force."""


class AlertError(YieldlineError):
    """An alert cannot be acknowledged or shelved as asked; nothing was changed."""


class ResubmitError(YieldlineError):
    """A rejection cannot be resubmitted or closed as asked; nothing was published."""


class AccountError(YieldlineError):
    """A user or a token cannot be added or changed as asked; nothing was changed."""


class BrokerUnavailable(YieldlineError):  # noqa: N818 - the name states the fact
    """The broker is away. Waiting and trying again helps."""


class BrokerRefused(YieldlineError):  # noqa: N818
    """The broker answered and said no. Only a person can help."""


class StoreUnavailable(YieldlineError):  # noqa: N818
    """The database is away, locked or full. Waiting and trying again helps."""


class StoreRefused(YieldlineError):  # noqa: N818
    """The database answered and said no. Only a person can help."""


class SpoolFull(YieldlineError):  # noqa: N818
    """The agent's spool has reached its bound; the log file is the buffer until it drains."""
