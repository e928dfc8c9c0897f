"""The claim of the full path: what a core does beside decoding, held against decoding alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from swapstats.core.hash_key import HashKey
from swapstats.core.shard_config import ShardConfig
from swapstats.model.record import MessageBlock
from swapstats.model.window import WindowSpec
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.figures import Figure
from swapstats.roles.bench.floor import decode_each
from swapstats.roles.bench.log_path import LogPath
from swapstats.roles.bench.pairs import Pair, alternate, timed
from swapstats.roles.bench.streams import Batch

RATIO_MIN = 0.45
DEFAULT_SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
BATCH_MESSAGES = 8_192
"""About what the aggregator reads at once by default (4 MiB)."""
_KEY = HashKey.of(b"a benchmark key!")

Path = EnginePath | LogPath


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    Attributes:
        pairs: pairs of a floor leg and a full leg; one more is run first and thrown away.
        leg_messages: messages of a leg.
        batch_messages: messages of a batch, on both sides.
    """

    pairs: int = 5
    leg_messages: int = 1_000_000
    batch_messages: int = BATCH_MESSAGES

    @property
    def messages(self) -> int:
        """Messages of all legs of one side, the first pair included."""
        return (self.pairs + 1) * self.leg_messages


def shard_config(*, event_clock: bool, spec: WindowSpec = DEFAULT_SPEC) -> ShardConfig:
    """Rules as in service; by the event clock as in a replay."""
    return ShardConfig(
        partition=0,
        spec=spec,
        key=_KEY,
        max_ahead_ms=None if event_clock else 3_600_000,
        event_clock=event_clock,
    )


def measure(
    path: Path, batches: Sequence[Batch], plan: Plan, on_pair: Callable[[Pair], None]
) -> list[Pair]:
    """Run floor and full path in turns over consecutive stretches of one stream.

    Args:
        path: the full path; its state grows from leg to leg.
        batches: `plan.messages` messages; the first leg's pair is thrown away.
        plan: how much.
        on_pair: told each pair that counts.
    """
    legs = list(_legs(batches, plan.pairs + 1))
    warm_floor, warm_full = _works(path, legs[0])
    timed(warm_floor)
    timed(warm_full)
    return alternate((_works(path, leg) for leg in legs[1:]), on_pair)


def figures(name: str, pairs: Sequence[Pair], target: float | None) -> list[Figure]:
    """Say what pairs found: the ratio pair by pair, by elapsed and by processor time, and rates."""
    return [
        Figure.spread(
            f"{name}: full path / floor",
            [pair.ratio for pair in pairs],
            "of the floor",
            target,
        ),
        Figure.spread(
            f"{name}: the same by processor time",
            [pair.cpu_ratio for pair in pairs],
            "of the floor",
            target,
        ),
        Figure.spread(f"{name}: floor", [pair.floor.rate for pair in pairs], "messages/s"),
        Figure.spread(f"{name}: full path", [pair.full.rate for pair in pairs], "messages/s"),
        Figure.spread(
            f"{name}: full path by processor time",
            [pair.full.cpu_rate for pair in pairs],
            "messages/s",
        ),
    ]


def joining_cost(batches: Sequence[Batch]) -> float:
    """Processor time of laying the messages of batches end to end, in seconds a message.

    The floor reads separate bytes objects, the engine one block, as logs and sources hand it
    out. This is what making the block costs where a source has separate objects.
    """

    def join() -> int:
        return sum(len(MessageBlock.of(batch.messages)) for batch in batches)

    leg = timed(join)
    return leg.cpu_s / leg.messages


def _works(path: Path, leg: Sequence[Batch]) -> tuple[Callable[[], int], Callable[[], int]]:
    def floor() -> int:
        return sum(decode_each(batch.messages) for batch in leg)

    def full() -> int:
        return path.run(leg)

    return floor, full


def _legs(batches: Sequence[Batch], count: int) -> Iterator[Sequence[Batch]]:
    """Cut batches into `count` stretches of nearly equal length."""
    for number in range(count):
        first = number * len(batches) // count
        yield batches[first : (number + 1) * len(batches) // count]
