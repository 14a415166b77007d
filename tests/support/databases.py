"""Database servers of a test's own, of Debian's packages: PostgreSQL and MariaDB, on loopback and empty."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pymysql

from demo.ports import LOOPBACK, free_port
from demo.programs import NotInstalled, Program, running
from tests.support.servers import skip_without

DATABASE = "receiver"
SERVANT = "nobody"
"""Who runs a server if these tests run as root, which both refuse."""


class PostgresServer(Program):
    """A PostgreSQL; `address` is what stands behind the driver in a URL."""

    grace = 8.0

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.address = f"{SERVANT}@{LOOPBACK}:{self.port}/postgres"
        data, programs = directory / "data", find_postgres()
        subprocess.run(
            [
                *as_servant(),
                *(str(programs / "initdb"), "-D", str(data), "-U", SERVANT, "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            cwd=directory,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        here = ("-h", LOOPBACK, "-p", str(self.port), "-k", "")
        command = [*as_servant(), str(programs / "postgres"), "-D", str(data), *here]
        super().__init__("postgres", [*command, "-c", "fsync=off"], directory=directory)

    def answers(self) -> bool:
        """Return whether it takes connections."""
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{self.address}", connect_timeout=2).close()
            return True
        return False


class MariaServer(Program):
    """A MariaDB without users; `address` is what stands behind the driver in a URL."""

    grace = 8.0

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.address = f"{SERVANT}@{LOOPBACK}:{self.port}/{DATABASE}"
        program = find_mariadb()
        command = [
            *as_servant(),
            str(program),
            "--no-defaults",
            f"--basedir={program.parent.parent}",
            f"--datadir={directory}",
            f"--socket={directory / 'socket'}",
            f"--pid-file={directory / 'pid'}",
            f"--bind-address={LOOPBACK}",
            f"--port={self.port}",
            "--skip-grant-tables",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        super().__init__("mariadb", command, directory=directory)

    def answers(self) -> bool:
        """Return whether it takes connections, and has the database."""
        with contextlib.suppress(pymysql.OperationalError):
            connection = pymysql.connect(host=LOOPBACK, port=self.port, user=SERVANT)
            with connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            return True
        return False


@contextlib.contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL while the context is open, or skip the test if none is installed."""
    skip_without(find_postgres)
    with servants_directory() as directory:
        server = PostgresServer(directory)
        with running(server):
            yield server


@contextlib.contextmanager
def own_mariadb() -> Iterator[MariaServer]:
    """Run a MariaDB while the context is open, or skip the test if none is installed."""
    skip_without(find_mariadb)
    with servants_directory() as directory:
        server = MariaServer(directory)
        with running(server):
            yield server


@contextlib.contextmanager
def servants_directory() -> Iterator[Path]:
    """Make a directory of the one who runs the server; pytest's own lie where only their owner may go."""
    with tempfile.TemporaryDirectory(prefix="amends-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            servant = pwd.getpwnam(SERVANT)
            os.chown(name, servant.pw_uid, servant.pw_gid)
        yield Path(name)


def as_servant() -> Sequence[str]:
    """Return the words before a command that is not to run as root."""
    if os.geteuid() != 0:
        return []
    servant = pwd.getpwnam(SERVANT)
    ids = (f"--reuid={servant.pw_uid}", f"--regid={servant.pw_gid}")
    return ["setpriv", *ids, "--clear-groups"]


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs: Debian's newest, or on the PATH. Raises `NotInstalled`."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(debian, key=lambda path: int(path.parts[-3]), default=None)
    if found := newest or shutil.which("postgres"):
        return Path(found).parent
    raise NotInstalled("no PostgreSQL is installed; Debian's package is postgresql")


def find_mariadb() -> Path:
    """Return the path of ``mariadbd``. Raises `NotInstalled`."""
    if found := shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return Path(found)
    raise NotInstalled("no MariaDB is installed; Debian's package is mariadb-server-core")
