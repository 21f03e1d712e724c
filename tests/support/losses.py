"""What a scrape of a proxy says was lost."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


async def lost(admin: str) -> dict[str, float]:
    """Ask the admin listener at this URL; gives counts by signal."""
    async with aiohttp.ClientSession() as session, session.get(f"{admin}/metrics") as got:
        families = text_string_to_metric_families(await got.text())
        samples = [one for family in families for one in family.samples]
    return {
        one.labels["wiretape_signal"]: one.value for one in samples if one.name == "wiretape_telemetry_dropped_total"
    }
