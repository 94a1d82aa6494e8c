"""What every answer tells a browser for its own good. Pure: no I/O.

NiceGUI's pages hold scripts and styles of their own, and Vue makes code of our templates: they
cannot do without 'unsafe-inline' and 'unsafe-eval'. Nothing comes from another host or goes there.
"""

from typing import Final

_COMMON: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"permissions-policy",
        b"camera=(self), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    ),
)
_NOT_KEPT: Final = ((b"cache-control", b"no-store"),)
"""Answers of the API are of their moment, and of who asked."""
_ALWAYS: Final = "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_PAGE: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self';"
    f" worker-src 'self' blob:; {_ALWAYS}"
)
_DOCS: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    f" img-src 'self' data:; {_ALWAYS}"
)
_LOGIN: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self';"
    f" img-src 'self' data:; connect-src 'self'; {_ALWAYS}"
)
_DATA: Final = f"default-src 'none'; {_ALWAYS}"


def security_headers(path: str) -> list[tuple[bytes, bytes]]:
    """Return the headers for the answer to a call of `path`."""
    policy = _policy(path)
    kept = _NOT_KEPT if policy == _DATA else ()
    return [*_COMMON, *kept, (b"content-security-policy", policy.encode())]


def _policy(path: str) -> str:
    if path in {"/login", "/logout", "/password"}:
        return _LOGIN
    if path == "/docs" or path.startswith("/docs/"):
        return _DOCS
    if path.startswith(("/api/", "/ingest", "/metrics", "/healthz", "/readyz", "/schemas/")):
        return _DATA
    return _PAGE
