"""The overlays as Kustomize renders them: a native sidecar, a gateway, and what their configuration says of them."""

import shutil
import subprocess
import tomllib
from typing import Any

import pytest

from support.deployed import DEPLOY, documents

OVERLAYS = DEPLOY / "kubernetes" / "overlays"
Manifests = dict[str, dict[str, Any]]


def rendered(overlay: str) -> Manifests:
    """Kind to manifest; of the config maps, the one with the proxy's file, and the environment's."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    ran = subprocess.run(["kubectl", "kustomize", str(OVERLAYS / overlay)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return {_kind(one): one for one in documents(ran.stdout)}


def _kind(manifest: dict[str, Any]) -> str:
    return manifest["kind"] + ("/environment" if "OTEL_SERVICE_NAME" in manifest.get("data", ()) else "")


def pod(manifests: Manifests) -> dict[str, Any]:
    return manifests["Deployment"]["spec"]["template"]["spec"]


def proxy(manifests: Manifests) -> dict[str, Any]:
    spec = pod(manifests)
    (found,) = [one for one in (*spec.get("initContainers", ()), *spec["containers"]) if one["name"] == "wiretape"]
    return found


def configuration(manifests: Manifests) -> dict[str, Any]:
    return tomllib.loads(manifests["ConfigMap"]["data"]["wiretape.toml"])


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize("overlay", ["sidecar", "gateway"])
def test_the_proxy_is_confined(overlay: str) -> None:
    manifests = rendered(overlay)
    one = proxy(manifests)
    held = {**pod(manifests).get("securityContext", {}), **one["securityContext"]}
    assert (held["runAsNonRoot"], held["runAsUser"], held["readOnlyRootFilesystem"]) == (True, 10001, True)
    assert (held["allowPrivilegeEscalation"], held["capabilities"]) == (False, {"drop": ["ALL"]})
    assert held["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"memory", "ephemeral-storage"} <= set(one["resources"]["limits"])
    assert one["image"] == "wiretape:0.1.0"


@pytest.mark.parametrize("overlay", ["sidecar", "gateway"])
def test_what_is_mounted_is_a_volume_and_what_is_named_is_rendered(overlay: str) -> None:
    manifests = rendered(overlay)
    one, volumes = proxy(manifests), {volume["name"]: volume for volume in pod(manifests)["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in one["volumeMounts"]}
    assert mounts["/etc/wiretape"]["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
    assert mounts["/var/lib/wiretape"]["emptyDir"] == {"sizeLimit": "1Gi"}
    assert configuration(manifests)["ledger"].startswith("sqlite:////var/lib/wiretape/")
    (source,) = one["envFrom"]
    assert source["configMapRef"]["name"] == manifests["ConfigMap/environment"]["metadata"]["name"]
    assert one["args"] == ["serve", "--config", "/etc/wiretape/wiretape.toml"]


@pytest.mark.parametrize("overlay", ["sidecar", "gateway"])
def test_probes_and_scrapes_go_where_the_admin_listener_is(overlay: str) -> None:
    manifests = rendered(overlay)
    one, told = proxy(manifests), configuration(manifests)
    ports = {port["name"]: port["containerPort"] for port in one["ports"]}
    assert ports["admin"] == port_of(told["admin"])
    assert told["admin"].startswith("0.0.0.0:")  # the kubelet comes from outside the pod
    probes = {name: probe["httpGet"] for name, probe in one.items() if name.endswith("Probe")}
    assert {name: probe["path"] for name, probe in probes.items() if name != "readinessProbe"} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
    }
    assert {probe["port"] for probe in probes.values()} == {"admin"}
    notes = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert (notes["prometheus.io/port"], notes["prometheus.io/path"]) == (str(ports["admin"]), "/metrics")


@pytest.mark.parametrize("overlay", ["sidecar", "gateway"])
def test_there_is_time_to_drain_and_to_flush(overlay: str) -> None:
    manifests = rendered(overlay)
    waits_s = proxy(manifests).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    flush_s = 3
    assert pod(manifests)["terminationGracePeriodSeconds"] > waits_s + configuration(manifests)["drain_s"] + flush_s


def test_the_sidecar_is_native_and_the_applications_alone() -> None:
    """An initContainer that restarts starts first and stops last; the pod stays the application's."""
    manifests = rendered("sidecar")
    (sidecar,) = pod(manifests)["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("wiretape", "Always")
    listen = configuration(manifests)["listen"]
    (application,) = pod(manifests)["containers"]
    assert {"name": "OPENAI_BASE_URL", "value": f"http://{listen}/v1"} in application["env"]
    assert listen.startswith("127.0.0.1:")
    assert "readinessProbe" not in sidecar  # a proxy that drains must not take the application out
    assert not {"serviceAccountName", "securityContext"} & set(pod(manifests))


def test_the_gateway_is_reached_and_kept() -> None:
    manifests = rendered("gateway")
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = manifests[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()
    (port,) = manifests["Service"]["spec"]["ports"]
    ports = {one["name"]: one["containerPort"] for one in proxy(manifests)["ports"]}
    assert ports[port["targetPort"]] == port_of(configuration(manifests)["listen"])
    assert proxy(manifests)["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod(manifests)["serviceAccountName"] == manifests["ServiceAccount"]["metadata"]["name"]
    assert manifests["Deployment"]["spec"]["replicas"] > manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"]
