"""What the deployment files say agrees with the code, with each other, and with the tools that read them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from documents.rendering import fallback_fonts
from metrics.decisions import metric_names
from metrics.decisions.limits_file import load
from metrics.prometheus import alert_rules

ROOT = Path(__file__).parent.parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
EVENTS = (ROOT / "docs" / "events.md").read_text()
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENTRY = (ROOT / "deploy" / "container.sh").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "SPMS_IMAGE" in service["image"]}
ROLES = set(re.findall(r"^([a-z-]+)\)$", ENTRY, re.MULTILINE))
FILES = [ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*.y*ml"), ROOT / "Dockerfile"]
UID = 10001


def example_settings():
    return set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def resources():
    """Return the objects of the base as kustomize would read them, without its additions."""
    names = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["resources"]
    objects = [
        resource
        for name in names
        for resource in yaml.safe_load_all((KUBERNETES / "base" / name).read_text())
    ]
    return {(resource["kind"], resource["metadata"]["name"]): resource for resource in objects}


def pods():
    return {
        name: resource["spec"]["template"]["spec"]
        for (kind, name), resource in resources().items()
        if kind in {"Deployment", "Job"}
    }


def containers():
    for pod in pods().values():
        yield from [*pod.get("initContainers", []), *pod["containers"]]


def config_map(kustomization):
    text = (KUBERNETES / kustomization / "kustomization.yaml").read_text()
    return dict(
        literal.split("=", 1) for literal in yaml.safe_load(text)["configMapGenerator"][0]["literals"]
    )


def seconds(text):
    return int(text.removesuffix("s"))


# The image


def test_the_image_is_the_same_for_all_and_holds_no_secret():
    assert {service["image"] for service in OURS.values()} == {"${SPMS_IMAGE:-spms:local}"}
    assert "SECRET_KEY" not in DOCKERFILE
    assert "PASSWORD" not in DOCKERFILE


def test_the_image_runs_as_one_uid_that_every_file_names():
    assert f"USER {UID}:{UID}" in DOCKERFILE
    assert f"--uid {UID}" in DOCKERFILE
    for name, pod in pods().items():
        context = pod["securityContext"]
        assert {context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {UID}, name


def test_the_image_copies_what_exists_and_dockerignore_lets_it_in():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for source in " ".join(copied).replace("${REQUIREMENTS}", "run").split():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_the_image_has_the_files_beside_the_code_that_the_code_reads():
    code = "".join(
        path.read_text() for app in ("documents", "metrics", "spms") for path in (ROOT / app).rglob("*.py")
    )
    read = set(re.findall(r'BASE_DIR / "([\w.-]+)"', code)) - {".env"}  # read if it is there
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert "pyproject.toml" in read
    assert read <= set(" ".join(copied).split())


def test_the_image_has_the_system_libraries_that_setup_installs():
    packages = re.findall(r'packages="(.+)"', (ROOT / "deploy" / "setup.sh").read_text())
    assert len(packages) == 2
    assert all(package in DOCKERFILE for package in " ".join(packages).split())


def test_setup_installs_the_fonts_that_warnings_name():
    [fonts] = re.findall(r'packages="(fonts-.+)"', (ROOT / "deploy" / "setup.sh").read_text())
    assert set(fonts.split()) == {package.name for package in fallback_fonts.PACKAGES}


def test_the_static_files_are_linked_where_the_settings_look_for_them():
    assert Path(settings.STATIC_ROOT).relative_to(settings.SPMS_DATA_DIR) == Path("static")
    assert "mv /tmp/build/static /app/static" in DOCKERFILE
    assert 'ln -sT /app/static "$static"' in ENTRY


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "deploy").glob("*.sh")), ROOT / "deploy" / "spms"], ids=lambda path: path.name
)
def test_shell_scripts_can_be_parsed_and_run_or_else_sourced(path):
    assert bool(path.stat().st_mode & 0o111) == path.read_text().startswith("#!")
    assert subprocess.run(["sh", "-n", path]).returncode == 0


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    checked = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


# Names: commands, settings, addresses, images


def test_commands_that_are_named_exist():
    texts = [ENTRY, (ROOT / "Procfile").read_text(), *(unit.read_text() for unit in UNITS)]
    named = set(re.findall(r"manage\.py ([a-z_]+)", "\n".join(texts)))
    assert {"qcluster", "evaluate_thresholds", "migrate", "export_prometheus_rules"} <= named
    assert named <= set(get_commands())


def test_each_role_that_is_asked_of_the_image_is_one_it_knows():
    asked = {process["command"][0] for process in OURS.values()} | {
        process["args"][0] for process in containers()
    } - {"python"}
    assert asked == ROLES
    assert {"web", "worker", "evaluator", "migrate"} <= ROLES


def test_settings_that_are_named_exist():
    valid_names = example_settings()
    for name, service in OURS.items():
        assert set(service["environment"]) <= valid_names, name
    assert set(config_map("base")) | set(config_map("overlays/production")) <= valid_names
    unit = (ROOT / "deploy" / "systemd" / "spms.env.example").read_text()
    assert set(re.findall(r"^([A-Z_]+)=", unit, re.MULTILINE)) <= valid_names
    texts = "".join(path.read_text() for path in [*FILES, *UNITS, ROOT / "deploy" / "container.sh"])
    others = {"SPMS_IMAGE", "SPMS_PORT", "SPMS_EVENTS_PORT"}  # of compose.yaml itself
    assert set(re.findall(r"\bSPMS_[A-Z_]+\b", texts)) - {"SPMS_MAX_UPLOAD"} - others <= valid_names


def test_addresses_that_are_asked_exist():
    asked = {"/metrics", *re.findall(r"/healthz/\w+", DOCKERFILE)}
    for container in containers():
        asked |= {
            probe["httpGet"]["path"].partition("?")[0]
            for key, probe in container.items()
            if key.endswith("Probe")
        }
    assert {"/healthz/live", "/healthz/ready"} <= asked
    for path in asked:
        resolve(path)


def test_every_image_is_pinned_to_a_tag():
    texts = "".join(path.read_text() for path in FILES)
    images = re.findall(r"^(?:ARG BASE=| *image: )(\S+)$", texts, re.MULTILINE)
    assert len(images) > 8
    for image in {name for name in images if "SPMS_IMAGE" not in name}:
        tag = image.rpartition(":")[2]
        assert re.match(r"v?\d", tag), image


def test_secrets_have_no_default():
    secret = r"SECRET|PASSWORD|TOKEN|AUTH"
    for path in FILES:
        for name, rest in re.findall(r"\$\{([A-Z_]+)([^}]*)\}", path.read_text()):
            is_optional = name in {"SPMS_WEBHOOK_SECRET", "FLOWER_BASIC_AUTH"}
            if re.search(secret, name):
                assert rest.startswith(":?") or (is_optional and rest in {":-", "-"}), (path.name, name)
    kinds = {kind for kind, _ in resources()}
    assert "Secret" not in kinds
    assert not [key for key in config_map("base") if re.search(secret, key)]


# Compose


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_more_rights_than_they_need(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_logs_of_containers_are_rotated(name):
    assert SERVICES[name]["logging"]["driver"] == "json-file"
    assert {"max-size", "max-file"} == set(SERVICES[name]["logging"]["options"])


def test_what_compose_mounts_exists():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            is_file = source.startswith("./")
            assert (ROOT / source).exists() if is_file else source in COMPOSE["volumes"], volume


def test_only_one_process_renders_under_each_host_name():
    """Folders of dead processes are told by process ids, which two containers do not share."""
    names = [service["hostname"] for service in OURS.values() if service["command"][0] in {"web", "worker"}]
    assert len(names) == len(set(names)) == 2
    assert OURS["worker"]["container_name"]  # so it cannot be scaled


def test_every_process_is_stopped_later_than_it_ends_by_itself():
    grace, deadline = OURS["worker"]["environment"]["SPMS_SHUTDOWN_GRACE"], settings.SPMS_INLINE_DEADLINE
    assert seconds(SERVICES["worker"]["stop_grace_period"]) >= seconds(grace) + 10
    assert seconds(SERVICES["web"]["stop_grace_period"]) > deadline + 5
    stops = {
        unit.stem: int(re.findall(r"^TimeoutStopSec=(\d+)", unit.read_text(), re.MULTILINE)[0])
        for unit in UNITS
    }
    assert stops["spms-web"] > deadline + 5
    assert stops["spms-worker"] >= seconds("8s") + 10
    assert pods()["spms-web"]["terminationGracePeriodSeconds"] > deadline + 5 + 5
    worker_grace = seconds(config_map("base")["SPMS_SHUTDOWN_GRACE"])
    assert pods()["spms-worker"]["terminationGracePeriodSeconds"] >= worker_grace + 10


def test_long_running_services_are_started_again_and_one_shots_are_not():
    for name, service in OURS.items():
        is_one_shot = name in {"migrate", "prometheus-files"}
        assert service["restart"] == ("no" if is_one_shot else "unless-stopped"), name


# Prometheus and Grafana


def test_promtool_accepts_the_configuration_and_the_rules(tmp_path):
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    (tmp_path / "rules.yml").write_text(
        alert_rules.build_rules(load(ROOT / "thresholds.yaml"), "https://spms.example.org")
    )
    (tmp_path / "metrics_token").write_text("token")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/spms", str(tmp_path)))
    checked = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    assert "rules found" in checked.stdout


def test_prometheus_asks_each_host_name_once_under_a_name_that_is_allowed():
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    ports = dict(re.findall(r"gunicorn .*--bind 0\.0\.0\.0:(\d+).*?(spms\.gunicorn)?", ENTRY))
    hosts = OURS["web"]["environment"]["ALLOWED_HOSTS"].split(",")
    assert {target.split(":")[1] for target in targets} == set(ports)
    for target in targets:
        assert target.split(":")[0] in hosts
    names = [OURS[target.split(":")[0]]["hostname"] for target in targets]
    rendering = {
        service["hostname"]
        for service in OURS.values()
        if service["command"][0] in {"web", "worker", "evaluator"}
    }
    assert sorted(names) == sorted(rendering)


def test_grafana_finds_its_dashboard_and_its_source():
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    provider = yaml.safe_load((folder / "dashboards" / "spms.yml").read_text())["providers"][0]
    mounts = [volume.split(":") for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/spms.json" in [mount[1] for mount in mounts]
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == OURS["web"]["environment"]["PROMETHEUS_URL"]


def test_grafana_asks_for_metrics_that_are_published():
    asked_for = re.findall(r"spms_\w+", (ROOT / "deploy" / "grafana" / "spms.json").read_text())
    names = {re.sub(r"_(bucket|count)$", "", name) for name in asked_for}
    assert metric_names.PRERENDERS in names
    assert names <= {value for value in vars(metric_names).values() if isinstance(value, str)}


# systemd


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path):
    binaries = tmp_path / "opt" / "spms" / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("gunicorn", "python", "uvicorn"):
        (binaries / name).symlink_to("/bin/true")
    copies = []
    for unit in UNITS:
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text().replace("/opt/spms", str(tmp_path / "opt" / "spms")))
    verified = subprocess.run(["systemd-analyze", "verify", *copies], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_units_run_what_the_procfile_runs():
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    procfile["events"] = re.findall(r"^    (.venv/bin/uvicorn .+)$", EVENTS, re.MULTILINE)[
        0
    ]  # not by default
    for unit in UNITS:
        command = re.findall(
            r"^ExecStart=/opt/spms/(.+)$", unit.read_text().replace("\\\n    ", ""), re.MULTILINE
        )
        assert command == [procfile[unit.stem.removeprefix("spms-")].removeprefix("deploy/keep.sh ")]


def test_units_end_by_their_main_process_and_are_always_started_again():
    assert len(UNITS) == 4
    for unit in UNITS:
        lines = unit.read_text().splitlines()
        assert {"KillMode=mixed", "Restart=always", "NoNewPrivileges=yes", "StartLimitIntervalSec=0"} <= set(
            lines
        )


def test_nginx_says_when_a_request_came_in_and_whose_it_is():
    text = (ROOT / "deploy" / "systemd" / "nginx.conf").read_text()
    assert 'proxy_set_header X-Request-Start "t=${msec}";' in text
    assert "proxy_set_header X-Forwarded-For" in text
    assert int(re.findall(r"client_max_body_size (\d+)m", text)[0]) * 2**20 > settings.SPMS_MAX_UPLOAD_BYTES
