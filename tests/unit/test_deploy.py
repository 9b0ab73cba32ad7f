"""What can be said of deploy/ without an engine or a cluster."""

import json
import re
import shlex
import subprocess
import sys
from argparse import Namespace
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from torch.distributed.run import get_args_parser

from hydrascope.cli import app
from hydrascope.cli.retraining import STAYS
from hydrascope.experiment.check import check
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.settings import ServeSettings
from hydrascope.watch.settings import WatchSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes/hydrascope.yaml").read_text()))
TRAINING = list(yaml.safe_load_all((DEPLOY / "kubernetes/training/train.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def emitted() -> set[str]:
    """Names of all series that the service can emit."""
    suffixes = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_sum", "_count"),
        "gauge": ("",),
    }
    return {
        metric.name + suffix
        for metric in Metrics().registry.collect()
        for suffix in suffixes[metric.type]
    }


@pytest.mark.parametrize("name", ["Dockerfile", "training.Dockerfile"])
def test_hadolint_finds_nothing_in_the_dockerfile(name: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run([hadolint, DEPLOY / name], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    text = (DEPLOY / name).read_text()
    assert "USER 10001" in text
    assert ":latest" not in text


@pytest.mark.parametrize("name", ["Dockerfile", "training.Dockerfile"])
def test_what_an_image_copies_is_there_and_reaches_the_build(name: str) -> None:
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", (DEPLOY / name).read_text(), re.MULTILINE)
    shown = (DEPLOY.parent / ".dockerignore").read_text().split()
    copied = {source for line in lines for source in line.split()}
    assert {"constraints.txt", "src"} < copied
    assert all((DEPLOY.parent / each).exists() for each in copied)
    assert {f"!{each}" for each in copied} <= set(shown)


@pytest.mark.parametrize("manifest", MANIFESTS + TRAINING, ids=lambda each: each["kind"])
def test_each_manifest_is_valid_for_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_the_validator_would_find_a_misspelt_key() -> None:
    broken = json.loads(json.dumps(MANIFESTS[0]))
    broken["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)


def accepted(command: list[str]) -> tuple[Namespace, TrainSettings]:
    """Return what torchrun makes of its arguments, and `hydrascope train` of the rest."""
    launch = get_args_parser().parse_args(command)
    assert (launch.module, launch.training_script) == (True, "hydrascope")
    command, *arguments = launch.training_script_args
    assert command == "train"
    told = [each for each in arguments if not each.startswith("hydra.")]
    settings = check(told)
    assert int(launch.nnodes) == settings.trainer.num_nodes
    assert int(launch.nproc_per_node) == settings.hardware.devices
    assert settings.trainer.strategy != "single"
    assert len(told) == len(arguments) - 1  # hydra.run.dir, asked for there
    return launch, settings


def test_the_job_of_slurm_tells_torchrun_and_train_what_both_accept(tmp_path: Path) -> None:
    # What SLURM has beside bash: the names of the nodes, and srun, which says what it would start.
    for name, program in (("scontrol", "printf 'a\\nb\\n'"), ("srun", 'printf "%s\\n" "$@"')):
        (tmp_path / name).write_text(f"#!/bin/bash\n{program}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "SLURM_JOB_NODELIST": "[a-b]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_PER_NODE": "4",
        "SLURM_JOB_ID": "7",
    }
    script = ["bash", str(DEPLOY / "slurm/train.sbatch"), "experiment=zema"]
    done = subprocess.run(script, capture_output=True, text=True, env=environment, check=True)
    _python, *words = done.stdout.splitlines()
    assert words[:2] == ["-m", "torch.distributed.run"]
    launch, _ = accepted(words[2:])
    assert launch.rdzv_endpoint == "a:29500"


def test_the_job_of_kubernetes_tells_torchrun_and_train_what_both_accept() -> None:
    service, job = TRAINING
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["torchrun"]
    launch, settings = accepted([each.replace("$(NODE)", "0") for each in container["args"]])
    # The first pod of an indexed job, by the name that the service gives it.
    assert launch.master_addr == f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(launch.nnodes)
    assert service["spec"]["ports"][0]["port"] == int(launch.master_port)
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert int(gpus) == settings.hardware.devices
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}
    assert pod["securityContext"]["runAsNonRoot"]


def test_the_timer_retrains_with_arguments_that_the_command_accepts() -> None:
    read = {}
    for end in ("service", "timer"):
        unit = read[end] = ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys have capitals
        unit.read(DEPLOY / f"systemd/hydrascope-retrain.{end}")
    service, timer = read["service"]["Service"], read["timer"]["Timer"]
    program, name, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "hydrascope"
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    retrain = command.commands[name]
    given = retrain.make_context(name, arguments).params
    assert given["model"].startswith("models:/")
    assert not given["overrides"]
    assert service["SuccessExitStatus"] == str(STAYS)
    assert timer["OnCalendar"]


def test_the_pods_run_without_privileges_and_find_what_they_mount() -> None:
    deployment = next(each for each in MANIFESTS if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }
    drain_s = ServeSettings.model_fields["drain_s"].default
    assert pod["terminationGracePeriodSeconds"] > drain_s + 5
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for each in MANIFESTS:
        spec = each["spec"]
        selector = spec.get("selector") or spec.get("podSelector")
        if selector:
            assert selector.get("matchLabels", selector).items() <= labels.items()


def test_every_setting_that_deployments_name_exists() -> None:
    deployment = next(each for each in MANIFESTS if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    named = {each["name"] for each in container["env"]}
    named |= set(COMPOSE["services"]["service"]["environment"])
    named |= set(COMPOSE["services"]["watch"]["environment"])
    named |= set(re.findall(r"\bHYDRASCOPE_\w+", (DEPLOY / "Dockerfile").read_text()))
    known = {f"HYDRASCOPE_{name.upper()}" for name in ServeSettings.model_fields}
    known |= {f"HYDRASCOPE_WATCH_{name.upper()}" for name in WatchSettings.model_fields}
    assert named <= known


def test_every_metric_that_dashboard_alerts_and_autoscaler_name_is_emitted() -> None:
    known = emitted() | {"hydrascope_request_seconds_p95"}  # made by the adapter
    files = [*DEPLOY.rglob("*.json"), *(DEPLOY / "prometheus").glob("*.yaml")]
    files.append(DEPLOY / "kubernetes/hydrascope.yaml")
    named = set()
    for file in files:
        named |= set(re.findall(r"\bhydrascope_[a-z_0-9]+", file.read_text()))
    assert "hydrascope_queue_depth" in named
    assert named <= known, named - known


def test_alerts_and_dashboard_have_what_prometheus_and_grafana_ask_for() -> None:
    (group,) = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in ("page", "ticket")
    dashboard = json.loads((DEPLOY / "grafana/dashboards/hydrascope.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    uid = source["datasources"][0]["uid"]
    assert all(panel["datasource"]["uid"] == uid for panel in dashboard["panels"])


def test_compose_names_only_what_it_defines_and_pins_every_image() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        assert set(service.get("depends_on", {})) <= services.keys()
        image = service.get("image", "built:here")
        assert re.search(r":[v\d][^:]*\d|:here$", image), image
        for volume in service.get("volumes", []):
            place = volume.split(":")[0]
            if place.startswith("./"):
                assert (DEPLOY / place).exists(), place
            elif not place.startswith("../"):
                assert place in COMPOSE["volumes"]
    behind = [each for name, each in services.items() if name != "service"]
    published = [port for each in behind for port in each.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
