"""The manifests as kustomize builds them: as they are, and through the overlay that the README has."""

import base64
import os
import re
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML

from tests.support.kubernetes import FOLDER, MANIFESTS, WORKERS

README = (FOLDER / "README.md").read_text(encoding="utf-8")
URLS = {
    "CELERY_BROKER_URL": "amqp://broker:5672",
    "AMENDS_BACKEND": "rediss://log:6380/1?ssl_ca_certs=/etc/amends/ca.pem",
}


def built(folder):
    """Return what kustomize makes of a folder, by kind and name without the hash of what it holds."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl")
    command = [kubectl, "kustomize", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return {
        (each["kind"], re.sub(r"-[a-z0-9]{10}$", "", each["metadata"]["name"])): each
        for each in YAML(typ="safe").load_all(ended.stdout)
    }


@pytest.fixture
def overlay(tmp_path):
    """Give what comes of the overlay of the README, its part for TLS included."""
    first, *more = (
        YAML(typ="safe").load(each) for each in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    )
    for each in more:
        for name, items in each.items():
            first[name] = [*first[name], *items]
    assert first["resources"] == ["../deploy/kubernetes"]
    first["resources"] = [os.path.relpath(FOLDER, tmp_path.resolve())]
    YAML().dump(first, tmp_path / "kustomization.yaml")
    lines = [f"{name}={value}" for name, value in URLS.items()]
    (tmp_path / "urls.env").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "ca.pem").write_text("a certificate", encoding="utf-8")
    return built(tmp_path)


def test_kustomize_builds_every_manifest_and_what_the_pods_read():
    kinds = [kind for kind, _ in built(FOLDER)]
    assert sorted(kinds) == sorted(["ConfigMap", "Secret", *(each["kind"] for each in MANIFESTS)])


def test_the_overlay_of_the_readme_replaces_urls_image_and_the_address_of_prometheus(overlay):
    data = overlay["Secret", "amends-urls"]["data"]
    assert {name: base64.b64decode(value).decode() for name, value in data.items()} == URLS
    for worker in WORKERS:
        [container] = overlay["Deployment", worker]["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example.com/amends-system:1"
        [trigger] = overlay["ScaledObject", worker]["spec"]["triggers"]
        assert trigger["metadata"]["serverAddress"] == "http://prometheus.monitoring:9090"
    assert {each["metadata"]["namespace"] for each in overlay.values()} == {"orders"}


def test_a_pod_reads_the_overlays_settings_by_the_names_that_hold_them_now(overlay):
    """Kustomize appends a hash to the name of what it generates, where it knows the reference."""
    names = {
        kind: {o["metadata"]["name"] for (k, _), o in overlay.items() if k == kind}
        for kind in ("Secret", "ConfigMap")
    }
    for name in (*WORKERS, "metrics", "flower"):
        pod = overlay["Deployment", name]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        settings, urls = container["envFrom"]
        assert settings["configMapRef"]["name"] in names["ConfigMap"]
        assert urls["secretRef"]["name"] in names["Secret"]
        [ca] = [each["secret"]["secretName"] for each in pod["volumes"] if each["name"] == "ca"]
        assert ca in names["Secret"]
        assert {"name": "ca", "mountPath": "/etc/amends"} in container["volumeMounts"]
    [login] = container["env"]
    assert login["valueFrom"]["secretKeyRef"]["name"] in names["Secret"]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 60
