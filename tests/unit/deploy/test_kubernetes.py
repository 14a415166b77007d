"""The manifests for Kubernetes, without a cluster: they are valid, and fit the order system and each other."""

import os
import re
import subprocess
import time

import kubernetes_validate
import pytest
from celery.utils.nodenames import node_format
from click import Context
from ruamel.yaml import YAML

import tasks
from amends.backend.settings import settings_of
from amends.worker.health_file import Health
from amends_commands import saga as commands
from tests.support.kubernetes import (
    FOLDER,
    KUSTOMIZATION,
    MANIFESTS,
    ROOT,
    WORKERS,
    container_of,
    named,
    of_kind,
    option_of,
    pod_of,
)

OF_KUBERNETES = [each for each in MANIFESTS if not each["apiVersion"].startswith("keda.sh/")]
COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
DEPLOYMENTS = of_kind("Deployment")
HEALTH_FOLDER = "/tmp"  # noqa: S108 - the pod's own
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request):
    return request.param


@pytest.fixture(params=WORKERS)
def worker(request):
    return request.param


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", OF_KUBERNETES, ids=named)
def test_a_manifest_is_valid(manifest, version):
    assert kubernetes_validate.validate(manifest, version, strict=True) == version.removesuffix(
        ".0"
    )


def test_the_kustomization_lists_every_manifest_of_its_folder():
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert KUSTOMIZATION["resources"] == sorted(files)
    assert len({named(each) for each in MANIFESTS}) == len(MANIFESTS)


def test_what_selects_pods_selects_those_of_its_name():
    for kind, selector in (
        ("Deployment", lambda spec: spec["selector"]["matchLabels"]),
        ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
        ("Service", lambda spec: spec["selector"]),
    ):
        for name, manifest in of_kind(kind).items():
            template = DEPLOYMENTS[name]["spec"]["template"]
            assert selector(manifest["spec"]) == template["metadata"]["labels"], named(manifest)


def test_a_service_leads_to_the_port_that_its_command_listens_at():
    assert of_kind("Service").keys() == {"flower", "metrics"}
    for name, service in of_kind("Service").items():
        (port,) = service["spec"]["ports"]
        (opened,) = container_of(name)["ports"]
        assert port["targetPort"] == opened["name"]
        assert str(opened["containerPort"]) == option_of(name, "--port")


@pytest.mark.parametrize("name", ["worker", "compensations", "flower"])
def test_a_command_is_that_of_docker_compose(name):
    assert container_of(name)["command"] == COMPOSE[name]["command"]


def test_the_metrics_command_is_one_and_answers_other_machines():
    celery, app, module, saga, name, *options = container_of("metrics")["command"]
    assert [celery, app, module, saga] == ["celery", "-A", "tasks", "saga"]
    command = commands.get_command(Context(commands), name)
    parsed = command.make_context(name, options).params
    assert parsed["address"] == "0.0.0.0"  # noqa: S104 - of a pod
    annotations = DEPLOYMENTS["metrics"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(parsed["port"])


def test_the_settings_come_from_a_config_map_and_a_secret_that_the_app_reads(deployment):
    generated = {
        kind: {
            each["name"]: {pair.partition("=")[0] for pair in each["literals"]}
            for each in KUSTOMIZATION[kind]
        }
        for kind in ("configMapGenerator", "secretGenerator")
    }
    assert generated["secretGenerator"] == {"amends-urls": {"CELERY_BROKER_URL", "AMENDS_BACKEND"}}
    assert generated["configMapGenerator"] == {"amends-settings": {"SERVICES_URL"}}
    read = re.findall(
        r'environ\.get\(\s*"(\w+)"', (ROOT / "celeryconfig.py").read_text(encoding="utf-8")
    )
    assert {
        name for each in generated.values() for names in each.values() for name in names
    } <= set(read)
    assert container_of(deployment)["envFrom"] == [
        {"configMapRef": {"name": "amends-settings"}},
        {"secretRef": {"name": "amends-urls"}},
    ]


def test_the_image_is_that_of_the_dockerfile(deployment):
    assert container_of(deployment)["image"] == "amends-system"


def test_a_pod_may_not_do_more_than_it_has_to(deployment):
    (user,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    pod, container = pod_of(deployment), container_of(deployment)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(user),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": HEALTH_FOLDER}]
    assert [(each["name"], "emptyDir" in each) for each in pod["volumes"]] == [("tmp", True)]


def test_a_service_of_the_namespace_sets_no_option_of_a_program(deployment):
    """The variables of a Service `flower` begin with FLOWER_, as Flower's options do."""
    assert pod_of(deployment)["enableServiceLinks"] is False


def test_a_container_asks_for_what_it_needs(deployment):
    resources = container_of(deployment)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert resources["limits"].keys() == {"memory"}


def test_a_worker_that_is_stopped_has_the_time_to_end_any_attempt(worker):
    tasks.app.loader.import_default_modules()
    longest = max(
        task.activity.start_to_close_timeout
        for name, task in tasks.app.tasks.items()
        if name.startswith("tasks.")
    )
    hard_limit_after = settings_of(tasks.app).hard_limit_after
    assert pod_of(worker)["terminationGracePeriodSeconds"] > longest + hard_limit_after


def test_no_rollout_and_no_drain_takes_all_workers(worker):
    strategy = DEPLOYMENTS[worker]["spec"]["strategy"]
    assert strategy["type"] == "RollingUpdate"
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0
    assert strategy["rollingUpdate"]["maxSurge"] > 0
    budget = of_kind("PodDisruptionBudget")[worker]["spec"]["maxUnavailable"]
    assert 0 < budget < of_kind("ScaledObject")[worker]["spec"]["minReplicaCount"]


def test_nothing_but_the_scaling_says_how_many_workers_there_are(worker):
    assert "replicas" not in DEPLOYMENTS[worker]["spec"]


def health_file_of(worker):
    """Return the path that a worker of these pods touches."""
    (path,) = [
        each["value"]
        for each in container_of(worker)["env"]
        if each["name"] == "AMENDS_HEALTH_FILE"
    ]
    return node_format(path, option_of(worker, "--hostname").replace("%h", "pod-1"))


def probe_says(worker, probe, folder):
    """Run a probe, whose files are in a folder of this machine."""
    shell, option, script = container_of(worker)[probe]["exec"]["command"]
    assert re.findall(rf"{HEALTH_FOLDER}/\S+", script) == [health_file_of(worker)]
    here = script.replace(f"{HEALTH_FOLDER}/", f"{folder}/")
    ended = subprocess.run([shell, option, here], capture_output=True, check=False)
    return ended.returncode == 0


def test_the_probes_look_at_the_health_file(worker, tmp_path):
    said = lambda: tuple(probe_says(worker, probe, tmp_path) for probe in PROBES)  # noqa: E731
    health = Health(tmp_path / health_file_of(worker).rpartition("/")[2])
    assert said() == (False, False, False)
    health.begin()
    assert said() == (True, True, False)  # the log has accepted no heartbeat yet
    health.tell(is_ready=True)
    assert said() == (True, True, True)
    hangs_since = time.time() - 20
    os.utime(health.path, (hangs_since, hangs_since))
    assert said() == (True, False, True)


def test_the_health_file_is_on_a_volume_that_can_be_written(worker):
    (mount,) = container_of(worker)["volumeMounts"]
    assert health_file_of(worker).startswith(f"{mount['mountPath']}/")
