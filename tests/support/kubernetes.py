"""The manifests of deploy/kubernetes, as the tests read them."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = YAML(typ="safe").load(FOLDER / "kustomization.yaml")
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in YAML(typ="safe").load_all(FOLDER / name)
]
WORKERS = ("worker", "compensations")


def named(manifest: dict[str, Any]) -> str:
    """Return kind and name of a manifest, as kubectl shows them."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Return the manifests of a kind by their names."""
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


def pod_of(deployment: str) -> dict[str, Any]:
    """Return the specification of a Deployment's pods."""
    pod: dict[str, Any] = of_kind("Deployment")[deployment]["spec"]["template"]["spec"]
    return pod


def container_of(deployment: str) -> dict[str, Any]:
    """Return the one container of a Deployment's pods."""
    (container,) = pod_of(deployment)["containers"]
    only: dict[str, Any] = container
    return only


def option_of(deployment: str, name: str) -> str:
    """Return what a command gives to an option, as of ``--concurrency=4``."""
    (value,) = (
        word.removeprefix(f"{name}=")
        for word in container_of(deployment)["command"]
        if word.startswith(f"{name}=")
    )
    return value
