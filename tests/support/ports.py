"""Free ports on the loopback interface."""

import os
import socket

_given: set[int] = set()
# Test processes beside each other share the machine's ports: each takes only those of its own remainder.
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port() -> int:
    """Return a TCP port nobody listens on, never the same one twice in a test run."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port % _processes == _process and port not in _given:
            _given.add(port)
            return port


def listens(port: int) -> bool:
    """Tell whether something accepts TCP connections on 127.0.0.1:`port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
