"""What a run showed, for people."""

import time
from collections import Counter
from collections.abc import Sequence

from tests.end_to_end.chaos.clients import Watchers
from tests.end_to_end.chaos.deployment import Deployment
from tests.end_to_end.chaos.outages import Outages
from tests.end_to_end.chaos.seen import Seen


class Progress:
    """Says what happens, with the seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:6.1f}] {text}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def report(
    deployment: Deployment,
    watchers: Watchers,
    seen: Seen,
    outages: Outages | None = None,
) -> str:
    """Make a text of everything counted."""
    lines = []
    if outages is not None:
        kinds: Counter[str] = Counter()
        for (kind, target), count in outages.begun.items():
            kinds[f"{kind} {target.partition('-')[0]}"] += count
        lines.append(
            f"outages: {outages.begun.total()}, zombies among them: {outages.zombies}, "
            f"left out: {outages.left_out}"
        )
        lines += [f"  {count:4}  {kind}" for kind, count in sorted(kinds.items())]
        lines.append(f"archive: {outages.batches}")
    restarts = {name: len(lives) - 1 for name, lives in deployment.lives.items()}
    lines.append(
        f"restarts: {restarts}; ended by themselves: "
        f"{len(deployment.ended)}, unable to start: {deployment.unable}"
    )
    lines.append(f"writes refused (fenced): {deployment.fenced()}")
    market = deployment.market
    lines.append(
        f"messages: {market.messages} acknowledged, {market.retries} blocks written again, writer "
        f"at most {market.behind_ms_max} ms behind"
    )
    for poller in watchers.pollers:
        lines.append(
            f"HTTP {poller.name}: {poller.statuses.total()} questions, "
            f"{100 * poller.availability:.2f} % answered, longest gap {poller.gap_ms_max:.0f} ms, "
            f"age median {percentile(poller.age_ms, 0.5):.0f} "
            f"p99 {percentile(poller.age_ms, 0.99):.0f} "
            f"max {max(poller.age_ms, default=0)} ms; {dict(poller.statuses)}"
        )
    lines.append(f"longest time without any answer of any API: {seen.gap_ms_max:.0f} ms")
    for client in watchers.clients:
        lines.append(
            f"stream {client.name}: {dict(client.counts)}, longest silence while connected "
            f"{client.gap_ms_max:.0f} ms"
        )
    lines.append(f"clients were told {seen.told} times, agreed with another {seen.agreed} times")
    lines += [f"COMPLAINT {text}" for text in seen.complaints]
    lines += [f"ENDED {text}" for text in deployment.ended]
    return "\n".join(lines)
