"""The objects for Kubernetes are valid and fit together."""

import re
import shutil
import subprocess
import uuid
import warnings

import kubernetes_validate
import pytest
import yaml
from django.urls import reverse

from metrics.prometheus.exposition import GAUGES
from tests.unit.test_deployment import KUBERNETES, ROOT, config_map, containers, pods, resources


def mebibytes(text):
    return int(text.removesuffix("Gi")) * 1024 if text.endswith("Gi") else int(text.removesuffix("Mi"))


@pytest.mark.parametrize("key", resources(), ids="/".join)
def test_every_object_fits_its_schema(key):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kubernetes_validate.validate(resources()[key], "1.34", strict=True)


def kustomized(folder):
    """Return the objects that kustomize makes of a folder, each of which fits its schema."""
    built = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    for resource in objects:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kubernetes_validate.validate(resource, "1.34", strict=True)
    return objects


needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")


@needs_kubectl
@pytest.mark.parametrize("folder", ["base", "overlays/production"])
def test_kustomize_builds_it(folder):
    assert len(kustomized(KUBERNETES / folder)) == len(resources()) + 1  # the generated ConfigMap


@needs_kubectl
def test_an_overlay_with_the_component_of_events_sends_streams_to_a_server_of_their_own(tmp_path):
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes" / "overlays" / "production"
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().replace("# With streams of events: ", ""))
    built = {(resource["kind"], resource["metadata"]["name"]): resource for resource in kustomized(overlay)}
    pod = built["Deployment", "spms-events"]["spec"]["template"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "spms"
    [container] = pod["spec"]["containers"]
    [settings] = [resource["data"] for (kind, _), resource in built.items() if kind == "ConfigMap"]
    assert settings["SPMS_EVENTS"] == "true"
    assert settings["SPMS_WEB_THREADS"] == config_map("base")["SPMS_WEB_THREADS"]
    rule = built["Ingress", "spms-events"]["spec"]["rules"][0]
    assert rule["host"] == built["Ingress", "spms"]["spec"]["rules"][0]["host"]
    [path] = rule["http"]["paths"]
    assert path["backend"]["service"]["name"] == "spms-events"
    assert re.fullmatch(path["path"], reverse("task-events", args=[uuid.uuid4()]))
    assert not re.match(path["path"], reverse("task-detail", args=[uuid.uuid4()]))
    web = built["Deployment", "spms-web"]["spec"]["template"]["spec"]
    assert pod["spec"]["securityContext"] == web["securityContext"]
    assert container["securityContext"] == web["containers"][0]["securityContext"]
    assert container["image"] == web["containers"][0]["image"]


def test_containers_are_restricted_and_bounded():
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
    for container in containers():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])


def test_renders_fit_into_the_memory_of_their_container():
    settings = config_map("base")
    renders = int(settings["SPMS_RENDER_SLOTS"]) * int(settings["SPMS_RENDER_MEMORY_LIMIT"].removesuffix("M"))
    for name in ("web", "worker"):
        limit = pods()[f"spms-{name}"]["containers"][0]["resources"]["limits"]["memory"]
        assert mebibytes(limit) == 2 * renders  # as docs/deployment.md says


def test_pods_reach_every_server_that_the_documentation_names():
    page = (ROOT / "docs" / "managed-services.md").read_text()
    documented = {int(port) for port in re.findall(r"`\w+://[^`]*?\.\w+:(\d+)/", page)}
    [ports] = [
        {rule["port"] for rule in egress["ports"]}
        for egress in resources()["NetworkPolicy", "spms"]["spec"]["egress"]
        if {"port": 5432} in egress["ports"]
    ]
    assert documented == {5432, 6380, 5671}
    without_tls_and_pooler = {5432, 6379, 5672, 6432}
    assert ports == documented | without_tls_and_pooler


@needs_kubectl
def test_an_overlay_with_keda_has_one_scaler_of_the_workers(tmp_path):
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes" / "overlays" / "production"
    file = overlay / "kustomization.yaml"
    file.write_text(f"{file.read_text()}\ncomponents: [../../components/keda]\n")
    built = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    kinds = [resource["kind"] for resource in yaml.safe_load_all(built.stdout)]
    assert "HorizontalPodAutoscaler" not in kinds
    assert kinds.count("ScaledObject") == 1


def test_keda_reads_the_metric_that_exists_from_the_prometheus_of_the_settings():
    text = (KUBERNETES / "components" / "keda" / "scaledobject.yaml").read_text()
    scaled = yaml.safe_load(text)["spec"]
    [trigger] = scaled["triggers"]
    assert trigger["metadata"]["query"] == "max(spms_queue_depth)"
    assert trigger["metadata"]["serverAddress"] == config_map("base")["PROMETHEUS_URL"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in resources()


def test_what_belongs_to_one_pod_is_not_on_the_shared_volume():
    for name in ("spms-web", "spms-worker"):
        own = {volume["name"] for volume in pods()[name]["volumes"] if "emptyDir" in volume}
        for container in pods()[name]["containers"]:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert mounts["/data"] == "data"
            assert {mounts[f"/data/{folder}"] for folder in ("metrics", "run", "work")} == own


def test_every_pod_that_is_asked_allows_the_name_it_is_asked_under():
    asked = [container for container in containers() if "livenessProbe" in container]
    assert {container["name"] for container in asked} == {"web", "metrics"}
    for container in asked:
        hosts = next(
            variable["value"] for variable in container["env"] if variable["name"] == "ALLOWED_HOSTS"
        )
        assert hosts == "$(SITE),localhost,$(POD_IP)"
        ports = {port["name"] for port in container["ports"]}
        for key, probe in container.items():
            if key.endswith("Probe"):
                assert probe["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
                assert probe["httpGet"]["port"] in ports


def test_ports_are_those_that_the_image_opens():
    entry = (ROOT / "deploy" / "container.sh").read_text()
    ports = {port["containerPort"] for container in containers() for port in container.get("ports", [])}
    assert all(f"0.0.0.0:{port}" in entry for port in ports)
    rules = resources()["NetworkPolicy", "spms"]["spec"]["ingress"][0]["ports"]
    assert {rule["port"] for rule in rules} == ports


def test_the_autoscaler_asks_for_a_metric_that_exists_and_that_the_adapter_serves():
    metric = resources()["HorizontalPodAutoscaler", "spms-worker"]["spec"]["metrics"][0]["external"]["metric"]
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["external"][0]
    assert metric["name"] == adapter["name"]["as"] == adapter["seriesQuery"].split("{")[0]
    assert metric["name"] in GAUGES
    assert "replicas" not in resources()["Deployment", "spms-worker"]["spec"]


def test_prometheus_keeps_the_pods_and_ports_that_answer():
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "kubernetes.yml").read_text())[
        "scrape_configs"
    ][0]
    labels = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["labels"][0]["pairs"]
    keep = config["relabel_configs"][0]["regex"]
    names = {port["name"] for container in containers() for port in container.get("ports", [])}
    assert keep == f"{labels['app.kubernetes.io/name']};({'|'.join(sorted(names))})"
    namespaces = config["kubernetes_sd_configs"][0]["namespaces"]["names"]
    assert ("Namespace", namespaces[0]) in resources()


def test_objects_that_are_named_are_there():
    objects = resources()
    for pod in pods().values():
        for volume in pod["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in objects
    backend = objects["Ingress", "spms"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert ("Service", backend["name"]) in objects
    scaled = objects["HorizontalPodAutoscaler", "spms-worker"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) in objects
