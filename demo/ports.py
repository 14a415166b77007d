"""TCP ports on the loopback interface: which is free, which was asked for."""

import socket
from collections.abc import Callable, Mapping

from demo.errors import PortTaken

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listens on; the kernel chooses it."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Say whether a server could not listen on this port of the loopback interface."""
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

    A default that is taken is avoided, and `say` is told. What the user asked for is never replaced: if it
    is taken, or no port at all, :class:`PortTaken` names it.
    """
    wanted = environment.get(setting)
    if wanted is not None:
        return _asked_for(setting, wanted)
    port = next((port for port in range(default, default + 100) if not is_taken(port)), None)
    if port is None:
        port = free_port()
    if port != default:
        say(f"port {default} is taken: using {port} ({setting} sets another)")
    return port


def _asked_for(setting: str, wanted: str) -> int:
    if not wanted.isdecimal() or not 0 < int(wanted) < 2**16:
        raise PortTaken(f"{setting}={wanted!r} is no port: give a number from 1 to 65535")
    if is_taken(int(wanted)):
        raise PortTaken(
            f"port {wanted} ({setting}) is taken on {LOOPBACK}: end what listens there, set {setting} to "
            "another port, or unset it and a free one is chosen"
        )
    return int(wanted)
