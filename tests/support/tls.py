"""Certificates of a test's own, and the settings of a Redis that takes nothing but TLS and known clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import trustme

from demo.ports import LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files of a certificate authority, and of one certificate with its key, for servers and clients."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path, *, hosts: Sequence[str] = (LOOPBACK, "localhost")) -> Self:
        """Write them into a folder, for a server of these names and addresses."""
        found = cls(
            **{name: directory / f"{name}.pem" for name in ("authority", "certificate", "key")}
        )
        authority = trustme.CA()
        issued = authority.issue_cert(*hosts)
        authority.cert_pem.write_to_path(str(found.authority))
        issued.private_key_pem.write_to_path(str(found.key))
        issued.cert_chain_pems[0].write_to_path(str(found.certificate))
        return found

    def settings(self, port: int) -> Mapping[str, str]:
        """Return what a Redis is to be set to that listens on this port."""
        return {
            "port": "0",
            "tls-port": str(port),
            "tls-ca-cert-file": str(self.authority),
            "tls-cert-file": str(self.certificate),
            "tls-key-file": str(self.key),
            "tls-auth-clients": "yes",
            "tls-replication": "yes",
        }

    @property
    def options(self) -> Mapping[str, str]:
        """Return what a client is given, by redis-py's names and Celery's."""
        return {
            "ssl_cert_reqs": "required",
            "ssl_ca_certs": str(self.authority),
            "ssl_certfile": str(self.certificate),
            "ssl_keyfile": str(self.key),
        }

    @property
    def query(self) -> str:
        """The same as the end of a URL."""
        return f"?{urlencode(self.options)}"
