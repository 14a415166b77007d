"""Why the system did not come up, or did not stay.

::

    LocalError
    |-- AlreadyRunning    another command runs in this directory
    |-- PortTaken         a port that was asked for belongs to somebody else
    |-- RedisMissing      no Redis to start, none to use
    |-- RabbitMQMissing   no RabbitMQ to start
    |-- ProcessEnded      a supervised process ended by itself
    `-- NotReady          a process runs, and does not answer
"""


class LocalError(RuntimeError):
    """The system on this machine cannot run; the message says why and what to do."""


class AlreadyRunning(LocalError):  # noqa: N818 - reads as the sentence it is
    """Another command runs in this directory."""


class PortTaken(LocalError):  # noqa: N818
    """A port that was asked for belongs to somebody else."""


class RedisMissing(LocalError):  # noqa: N818
    """There is no Redis to start and none to use."""


class RabbitMQMissing(LocalError):  # noqa: N818
    """There is no RabbitMQ to start."""


class ProcessEnded(LocalError):  # noqa: N818
    """A supervised process ended by itself."""


class NotReady(LocalError):  # noqa: N818
    """A process runs, and does not answer in time."""
