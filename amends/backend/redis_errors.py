"""What an error of redis-py means: judged by its class and by the code of Redis's reply, never by words.

redis-py has a class for some codes, and strips those from the text. The text of another error begins with the code,
except where Redis 6.2 wraps the error of a script's command: there the code stands behind the place in the script.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis import exceptions

from amends.backend.scripts import DIGESTS, SCRIPTS
from amends.errors import ConfigurationError, LogUnavailable, SagaError

ERRORS: Final = (exceptions.RedisError, exceptions.RedisClusterException)
"""What a client of redis-py raises: of a cluster one that is no ``RedisError``."""


class TooFewReplicas(exceptions.RedisError):
    """A write is on the primary, and on fewer replicas than it has to be."""


class NoCluster(exceptions.RedisError):
    """A Redis that was to tell of its cluster is a part of none."""


_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterError,  # redis-py has followed a key for long, and others of the request are elsewhere still
    exceptions.RedisClusterException,
    OSError,
)
_CLASSES: Final[Mapping[type, str]] = {
    exceptions.AskError: "ASK",
    exceptions.AuthenticationError: "NOAUTH",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ClusterCrossSlotError: "CROSSSLOT",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.ExecAbortError: "EXECABORT",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.MovedError: "MOVED",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.TryAgainError: "TRYAGAIN",
}
_PIPELINED: Final = r"(?:Command # \d+ \(.*?\) of pipeline caused error: )?"
"""What redis-py puts before the error of one command of several."""
_CODE: Final = re.compile(
    rf"{_PIPELINED}"
    r"(?:Error running script \(call to f_[0-9a-f]{40}\): @user_script:\d+: (?:@user_script: \d+: -)?)?"
    r"([A-Z]+) ",
    re.DOTALL,
)


_DIGEST: Final = re.compile(r"[0-9a-f]{40}")
_LINE: Final = re.compile(r"user_script: ?(\d+)")
_CALL: Final = re.compile(r"redis\.p?call\('(\w+)'")


@dataclass(frozen=True)
class _Meaning:
    """What a code says of a Redis, what to do about it, and whether the same request may succeed later."""

    what: str
    remedy: str
    is_away: bool = True


_FULL: Final = (
    "give it more memory (maxmemory), or keep ended sagas for less long (amends_retention)"
)
_PRIMARY: Final = "let amends_backend name the primary"
_LATER: Final = "the same call may be repeated"
_CLUSTER: Final = _Meaning(
    "is a part of a cluster, which amends_backend does not say",
    "write redis+cluster:// in place of redis://",
    is_away=False,
)
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "OOM": _Meaning("is full", _FULL),
    "READONLY": _Meaning("is a replica, which takes no writes", _PRIMARY),
    "MASTERDOWN": _Meaning("is a replica that has lost its primary", _PRIMARY),
    "UNBLOCKED": _Meaning("was demoted while it waited for its replicas", _LATER),
    "NOREPLICAS": _Meaning(
        "has fewer replicas than min-replicas-to-write, and takes no writes", "bring them back"
    ),
    "MISCONF": _Meaning(
        "cannot write to its disk, and takes no writes", "look at its log and at its disk"
    ),
    "LOADING": _Meaning("is loading its data", _LATER),
    "BUSY": _Meaning("is busy with a script that does not end", "SCRIPT KILL ends it"),
    "CLUSTERDOWN": _Meaning("is a part of a cluster that is down", _LATER),
    "TRYAGAIN": _Meaning("is a part of a cluster that moves its keys", _LATER),
    "EXECABORT": _Meaning("refused a part of a transaction", _LATER),
    "NOSCRIPT": _Meaning("has lost its scripts", _LATER),
    "NOAUTH": _Meaning("refuses the user or the password", "correct them in amends_backend"),
    "NOPERM": _Meaning(
        "denies the user a right",
        "`celery -A APP saga doctor --acl USER` prints the ACL that is enough",
    ),
    "WRONGTYPE": _Meaning(
        "holds other data under a key of the saga log",
        "give the log a database of its own",
        is_away=False,
    ),
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
}
_DEMOTED: Final = ("READONLY", "MASTERDOWN")
_WROTE_NOTHING: Final = frozenset({"BUSY", "MISCONF", "NOREPLICAS", "OOM", "READONLY"})
"""Codes of a start or an act that wrote nothing: its script has looked for an earlier try's work, and its first write was
refused. But for BUSY, which comes after seconds of another script. Others may follow a try whose answer was lost.
"""


def code_of(error: Exception) -> str:
    """Return the code of the reply that an error stands for, or ''."""
    for kind in type(error).__mro__:
        if kind in _CLASSES:
            return _CLASSES[kind]
    found = _CODE.match(str(error)) if isinstance(error, exceptions.ResponseError) else None
    return found[1] if found else ""


def is_demoted(error: object) -> bool:
    """Tell whether a Redis answered that is no primary any more: the address may lead to another one meanwhile."""
    return isinstance(error, exceptions.ResponseError) and code_of(error) in _DEMOTED


def explained(error: Exception, subject: str) -> SagaError:
    """Return the error that a caller gets in place of one of redis-py.

    error: a ``RedisError``, or an ``OSError`` of a connection.
    subject: what was asked, like ``the saga log``.

    Returns `LogUnavailable` if the same request may succeed later, otherwise `ConfigurationError`.
    """
    code = code_of(error)
    if meaning := _MEANINGS.get(code):
        # Of a missing right Redis names the user, and the command or the key.
        lacks = f": {_words(error)}" if code == "NOPERM" else ""
        text = f"{subject}: the Redis at amends_backend {meaning.what} ({code}){lacks}; {meaning.remedy}"
        if not meaning.is_away:
            return ConfigurationError(text)
        return LogUnavailable(text, refused=code in _WROTE_NOTHING)
    if isinstance(error, NoCluster):
        return ConfigurationError(
            f"{subject}: the Redis at amends_backend is no part of a cluster;"
            " write redis:// in place of redis+cluster://"
        )
    if distrust := _distrust(error):
        return LogUnavailable(
            f"{subject}: the certificate of the Redis at amends_backend is not trusted: {distrust};"
            " ssl_ca_certs has to name its CA, and the certificate the host"
        )
    if isinstance(error, TooFewReplicas):
        return LogUnavailable(
            f"{subject} at amends_backend has too few replicas: {error}; bring them back, or lower amends_wait_replicas"
        )
    if isinstance(error, _AWAY):
        said = str(error).rstrip(".")
        return LogUnavailable(f"{subject} at amends_backend cannot be reached: {said}")
    return ConfigurationError(
        f"{subject}: the Redis at amends_backend refused a request: {_words(error)}{_asked_there(error)}; amends_backend has to name a database"
        " of a Redis 6.2 or newer, or of a Valkey; sentinel:// is for Sentinels, redis+cluster:// for a cluster; its user"
        " needs the rights that `celery -A APP saga doctor --acl USER` prints"
    )


def _asked_there(error: Exception) -> str:
    """Return which command a script asked for where it failed, or ''."""
    text = str(error)
    digest, line = _DIGEST.search(text), _LINE.search(text)
    script = digest and next(
        (each for name, each in SCRIPTS.items() if DIGESTS[name] == digest[0]), None
    )
    if not script or not line:
        return ""
    asked = _CALL.search(script.splitlines()[int(line[1]) - 1])
    return f" (it asked for {asked[1].upper()})" if asked else ""


def _distrust(error: BaseException | None) -> str:
    """Return why a connection did not trust the server's certificate, or ''."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return ""


def _words(error: Exception) -> str:
    """Return what Redis said, without the arguments of the command."""
    said = re.sub(_PIPELINED, "", str(error), count=1, flags=re.DOTALL)
    return said.partition(", with args beginning with:")[0]
