"""Free ports on the loopback interface."""

import os
import random
import socket

# Below the ports that the system gives to outgoing connections. It is not asked for one: Linux
# gives only odd ones, as long as there are any, and one of two test processes would wait for ever.
_LOW, _HIGH = 15_000, 32_768
_dice = random.SystemRandom()
_given: set[int] = set()
# Test processes beside each other share the machine's ports: each takes those of its remainder.
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port() -> int:
    """Return a TCP port nobody listens on, never the same one twice in a test run."""
    while True:
        port = _dice.randrange(_LOW, _HIGH)
        if port % _processes == _process and port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Tell whether something accepts TCP connections on 127.0.0.1:`port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
