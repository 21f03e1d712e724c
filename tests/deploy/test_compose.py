"""Everything in the compose file finds everything else; what the proxy is told to send is what the Collector takes."""

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.collector import a_collector
from support.command import running
from support.deployed import DEPLOY, yaml_of
from support.scenarios import asking, sandboxed, text_run

COMPOSE = yaml_of(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COLLECTOR = yaml_of(DEPLOY / "collector" / "config.yaml")
TEMPO = yaml_of(DEPLOY / "tempo" / "tempo.yaml")
CONTAINER = tomllib.loads((DEPLOY / "container" / "wiretape.toml").read_text("utf-8"))
OF_CONTRIB = {
    "extensions": {"health_check"},
    "receivers": {"otlp"},
    "processors": {"memory_limiter", "redaction", "batch"},
    "exporters": {"otlp_grpc"},
}
"""Components of the contrib distribution that are used; another one is looked up there before it is added here."""


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def served() -> dict[str, set[int]]:
    """The ports that each service listens on inside, as its own configuration says."""
    return {
        "wiretape": {port_of(CONTAINER["listen"]), port_of(CONTAINER["admin"])},
        "collector": {port_of(one["endpoint"]) for one in COLLECTOR["receivers"]["otlp"]["protocols"].values()},
        "tempo": {
            TEMPO["server"]["http_listen_port"],
            *(port_of(one["endpoint"]) for one in TEMPO["distributor"]["receivers"]["otlp"]["protocols"].values()),
        },
        "prometheus": {9090},
        "grafana": {3000},
    }


def called() -> list[tuple[str, int]]:
    """Host and port of everything that is called by name."""
    sources = yaml_of(DEPLOY / "grafana" / "provisioning" / "datasources" / "datasources.yaml")["datasources"]
    scraped = yaml_of(DEPLOY / "prometheus" / "prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"]
    urls = [*(one["url"] for one in sources), SERVICES["wiretape"]["environment"]["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]]
    addresses = [
        *(urlsplit(url).netloc for url in urls),
        *scraped,
        COLLECTOR["exporters"]["otlp_grpc/tempo"]["endpoint"],
    ]
    return [(address.rpartition(":")[0], port_of(address)) for address in addresses]


def test_whoever_is_called_listens_there() -> None:
    assert set(served()) == set(SERVICES)
    assert {host for host, _ in called()} == {"collector", "tempo", "prometheus", "wiretape"}
    assert [(host, port) for host, port in called() if port not in served()[host]] == []


def test_what_is_published_is_published_on_the_loopback_alone() -> None:
    published = [(name, *port.split(":")) for name, one in SERVICES.items() for port in one.get("ports", ())]
    assert [(host, int(inner) in served()[name]) for name, host, _, inner in published] == [("127.0.0.1", True)] * 2


def test_what_is_mounted_is_there_and_read_only() -> None:
    mounts = [mount.split(":") for one in SERVICES.values() for mount in one["volumes"]]
    files = [mount for mount in mounts if mount[0].startswith("./")]
    assert [mount for mount in files if not (DEPLOY / mount[0]).exists() or mount[2:] != ["ro"]] == []
    assert {mount[0] for mount in mounts if mount not in files} == set(COMPOSE["volumes"])


def test_commands_name_the_files_that_are_mounted() -> None:
    """Prometheus reads its rules beside its configuration, Grafana its dashboard where the provider looks."""
    for name in ("collector", "tempo", "prometheus"):
        (file,) = [
            Path(word.partition("=")[2]) for word in SERVICES[name]["command"] if word.lstrip("-").startswith("conf")
        ]
        mounted = [Path(mount.split(":")[1]) for mount in SERVICES[name]["volumes"]]
        assert file in mounted or file.parent in mounted
    (provider,) = yaml_of(DEPLOY / "grafana" / "provisioning" / "dashboards" / "dashboards.yaml")["providers"]
    assert any(provider["options"]["path"] in mount for mount in SERVICES["grafana"]["volumes"])


def test_the_proxy_is_held_as_the_image_is_made_to_be() -> None:
    proxy = SERVICES["wiretape"]
    assert (proxy["read_only"], proxy["cap_drop"]) == (True, ["ALL"])
    assert proxy["volumes"] == [f"ledger:{Path(CONTAINER['ledger'].removeprefix('sqlite:///')).parent}"]
    assert int(proxy["stop_grace_period"].rstrip("s")) > CONTAINER["drain_s"] + 3
    assert [name for name, one in SERVICES.items() if "no-new-privileges:true" not in one["security_opt"]] == []


def test_images_are_pinned() -> None:
    images = {name: one["image"] for name, one in SERVICES.items() if "build" not in one}
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


def test_the_collectors_parts_are_all_defined_and_all_used() -> None:
    """Its own binary alone could say more."""
    (pipeline,) = COLLECTOR["service"]["pipelines"].values()
    used = {**pipeline, "extensions": COLLECTOR["service"]["extensions"]}
    assert {kind: set(COLLECTOR[kind]) for kind in OF_CONTRIB} == {kind: set(used[kind]) for kind in OF_CONTRIB}
    kinds = {kind: {name.partition("/")[0] for name in COLLECTOR[kind]} for kind in OF_CONTRIB}
    assert kinds == OF_CONTRIB
    assert (pipeline["processors"][0], pipeline["processors"][-1]) == ("memory_limiter", "batch")


def test_the_collectors_net_catches_a_key_and_no_model() -> None:
    patterns = [re.compile(text) for text in COLLECTOR["processors"]["redaction"]["blocked_values"]]
    keys = ("sk-proj-0123456789abcdefgh", "Bearer 0123456789abcdefgh")
    assert [bool(pattern.search(key)) for pattern, key in zip(patterns, keys, strict=True)] == [True, True]
    assert [pattern for pattern in patterns if pattern.search("gpt-4o-mini asst_abc123 risk-free")] == []


async def test_its_environment_sends_traces_and_no_metrics(tmp_path: Path) -> None:
    async with a_collector() as collector, sandboxed() as upstream:
        told = {name: value for name, value in SERVICES["wiretape"]["environment"].items() if name.startswith("OTEL_")}
        told = {name: value.replace("http://collector:4318", collector.url) for name, value in told.items()}
        ours = ("serve", "--profile", "production", "--upstream", upstream, "--ledger", "none")
        async with running(*ours, cwd=tmp_path, **told) as (process, at):
            async with asking(at["traffic"]) as (ask, _):
                await text_run(ask)
            process.terminate()
            assert await process.wait() == 0
    assert {span.name for span in collector.spans} >= {"invoke_agent Golden"}
    assert {one["service.name"] for one in collector.resources} == {"wiretape"}
    assert collector.metrics == []
