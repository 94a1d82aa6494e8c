"""What goes wrong with a connection to the broker, in sentences. Pure: no I/O."""

from collections.abc import Iterable

from broker.errors import BrokerRefused, BrokerUnavailable, YieldlineError
from broker.sections import BrokerSettings

_LOGIN_CODES = frozenset({4, 5, 134, 135, 138})  # bad login, not authorised, banned


def _where(settings: BrokerSettings) -> str:
    return f"{settings.host}:{settings.port}"


def connection_lost(settings: BrokerSettings, client_id: str) -> BrokerUnavailable:
    """Return the error of a connection that stood."""
    return BrokerUnavailable(f"the connection of {client_id} to {_where(settings)} was lost.")


def no_answer(
    settings: BrokerSettings, error: Exception, *, is_connected: bool
) -> BrokerUnavailable:
    """Return the error of a connection that did not come about.

    Args:
        settings: Whom we called.
        error: What the socket said.
        is_connected: The socket stood, only no login came of it.
    """
    said = f"broker {_where(settings)} does not answer ({str(error) or 'timeout'})."
    if settings.tls and is_connected:  # it does speak TLS: a doubt about us
        return BrokerUnavailable(
            f"{said} If it asks for certificates: check broker.cert_file, and that the broker"
            " trusts the CA that signed it."
        )
    return BrokerUnavailable(
        f"{said} Is it running? Check YIELDLINE_BROKER__HOST and __PORT, or host and port of"
        " [broker] in the settings file."
    )


def connection_refused(settings: BrokerSettings, code: int, words: str) -> YieldlineError:
    """Return the error of a CONNACK that says no: to the login, or for now."""
    if code in _LOGIN_CODES:
        return BrokerRefused(
            f"broker {_where(settings)} refused the login of"
            f" {settings.login()} ({words})."
            " Check YIELDLINE_BROKER__USERNAME and YIELDLINE_BROKER__PASSWORD."
        )
    return BrokerUnavailable(f"broker {_where(settings)} refused the connection ({words}).")


def filters_denied(settings: BrokerSettings, denied: Iterable[str]) -> BrokerRefused:
    """Return the error of a SUBACK that denies topic filters."""
    return BrokerRefused(
        f"broker {_where(settings)} does not let {settings.login()}"
        f" read {', '.join(denied)}. Grant it in the broker's ACL."
    )
