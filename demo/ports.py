"""TCP ports on the loopback interface: which is free, which was asked for."""

import socket
from collections.abc import Callable, Mapping

from demo.programs import DemoError

LOOPBACK = "127.0.0.1"
_given: set[int] = set()


def free_port() -> int:
    """Return a free port, which the kernel chooses: never one that was given before in this process, nor to any process in the last minute.

    A port stays free until its server listens, and tests start servers in several processes at once. A connection that
    its server closed first is in TIME_WAIT for a minute (RFC 9293, 3.6.1): the kernel gives its port to nobody who asks
    for any, and to a server that asks for this one with SO_REUSEADDR, as all do.
    """
    while True:
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((LOOPBACK, 0))
            server.listen(1)
            port: int = server.getsockname()[1]
            with socket.create_connection((LOOPBACK, port)):
                server.accept()[0].close()
        if port not in _given:
            _given.add(port)
            return port


def is_taken(port: int) -> bool:
    """Return whether a server could not listen on this port."""
    with socket.socket() as probe:
        # As the servers do: connections that linger in TIME_WAIT take no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
        return False


def choose_port(
    setting: str, *, default: int, environment: Mapping[str, str], say: Callable[[str], None]
) -> int:
    """Return the port that `setting` names in the environment, else the first free one from `default` on.

    setting: name of the environment's variable. A port that it names is never replaced.
    default: avoided if taken, and then `say` is called with a sentence.

    Raises :class:`DemoError` if the variable's port is taken, or is no port.
    """
    wanted = environment.get(setting)
    if wanted is None:
        port = next(port for port in range(default, 2**16) if not is_taken(port))
        if port != default:
            say(f"port {default} is taken: using {port} ({setting} sets another)")
        return port
    if not wanted.isdecimal() or not 0 < int(wanted) < 2**16:
        raise DemoError(f"{setting}={wanted!r} is no port: give a number from 1 to 65535")
    if is_taken(int(wanted)):
        raise DemoError(
            f"port {wanted} ({setting}) is taken on {LOOPBACK}: end what listens there, set {setting} to "
            "another port, or unset it and a free one is chosen"
        )
    return int(wanted)
