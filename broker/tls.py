"""TLS to the broker: whom we trust, who we are, and in words what is wrong with either."""

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from broker.certificates import Validity, validity
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.sections import BrokerSettings

_CERTIFICATE_TIMES: Final = frozenset({9, 10})  # OpenSSL's codes: not yet valid, expired


def client_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return a client context that checks the broker's name.

    Raises:
        OSError: A certificate or key file cannot be used.
    """
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file and settings.key_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def checked_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return the same, after a look at the date of our own certificate.

    Raises:
        BrokerRefused: A certificate or key file cannot be used.
        BrokerUnavailable: Ours has expired, or is not valid yet: it will be renewed in its place.
    """
    try:
        context = client_context(settings)
    except OSError as error:
        raise BrokerRefused(
            f"the TLS files of the broker cannot be used ({error})."
            " Check broker.ca_file, broker.cert_file and broker.key_file."
        ) from error
    span = own_validity(settings)
    if span is not None and (words := _out_of_date(span)):
        raise BrokerUnavailable(
            f"our certificate {settings.cert_file} {words}."
            " Put a renewed one in its place, or set this machine's clock."
        )
    return context


def own_validity(settings: BrokerSettings) -> Validity | None:
    """Return when the certificate that we show the broker is valid; None without one.

    Raises:
        OSError: It cannot be read.
        ValueError: It is none.
    """
    if not settings.tls or settings.cert_file is None:
        return None
    return validity(ssl.PEM_cert_to_DER_cert(_first_certificate(settings.cert_file)))


def handshake_trouble(
    settings: BrokerSettings, error: ssl.SSLError
) -> BrokerRefused | BrokerUnavailable:
    """Return what a failed handshake means: a certificate is somebody's to mend, and will be.

    Asks the broker for its certificate once more when that is out of date, to say the date.
    """
    where = f"{settings.host}:{settings.port}"
    if not isinstance(error, ssl.SSLCertVerificationError):
        return BrokerUnavailable(
            f"broker {where} does not speak TLS as we do ({error.reason or error})."
            " Check YIELDLINE_BROKER__PORT and YIELDLINE_BROKER__TLS."
        )
    said = f"the certificate of broker {where} is not trusted ({error.verify_message})"
    if error.verify_code in _CERTIFICATE_TIMES:
        words = _out_of_date(span) if (span := shown_validity(settings)) else ""
        dated = f"{said}: it {words}" if words else said
        return BrokerUnavailable(f"{dated}. Renew it on the broker, or set this machine's clock.")
    return BrokerRefused(
        f"{said}. Set YIELDLINE_BROKER__CA_FILE to the CA that signed it, and"
        " YIELDLINE_BROKER__HOST to the name it was made for."
    )


def _out_of_date(span: Validity) -> str:
    """Say that a certificate is not valid now; empty when it is."""
    now = datetime.now(UTC)
    if now > span.end:
        return f"expired on {span.end:%Y-%m-%d %H:%M} UTC"
    if now < span.start:
        return f"is not valid before {span.start:%Y-%m-%d %H:%M} UTC"
    return ""


def shown_validity(settings: BrokerSettings) -> Validity | None:
    """Return when the certificate that the broker shows is valid; None when it cannot be had."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent over it
    address = (settings.host, settings.port)
    try:
        if settings.cert_file and settings.key_file:  # it may show its own to nobody else
            context.load_cert_chain(settings.cert_file, settings.key_file)
        with (
            socket.create_connection(address, settings.connect_timeout_s) as raw,
            context.wrap_socket(raw, server_hostname=settings.host) as link,
        ):
            return validity(link.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):
        return None


def _first_certificate(file: Path) -> str:
    """Return the first PEM certificate of a file: ours; those of a chain follow."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    _, found, rest = file.read_text("ascii", errors="replace").partition(begin)
    return f"{found}{rest.partition(end)[0]}{end}"
