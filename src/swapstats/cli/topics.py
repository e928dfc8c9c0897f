"""`swapstats topics`: what the topics of the log are and should be; made, mended, migrated."""

import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from swapstats.adapters.kafka.migrate import CopyProgress, LogCopy
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.cli.run import pairs
from swapstats.core.topic_plan import TopicChange, WantedTopic, refused
from swapstats.errors import UsageError
from swapstats.settings import Settings, load
from swapstats.wiring.brokers import PLACING_KEY, kafka_address, wanted_topics

PLAIN_COLUMNS: Final = 160
"""Width of tables where there is no terminal, in characters."""

FOLLOW_S: Final = 0.2
"""How long a copy that has caught up waits before it looks again."""

_DONE: Final = {"create": "made", "set": "set", "grow": "grown", "leave": "left as they are"}
_STYLES: Final = {"refuse": "red", "leave": "yellow"}

app = App(name="topics", help="Look after the topics of the log on Kafka or Redpanda.")

_Config = Annotated[Path | None, Parameter(name=["--config", "-c"])]
_Set = Annotated[list[str] | None, Parameter(name="--set", negative="")]


def _has_none(settings: Settings) -> bool:
    """Say so if the log is of a kind that has no topics."""
    if settings.ingest.broker_type != "redis":
        return False
    _out().print(
        "Nothing to make: the log is in Redis (ingest.broker_type), where the first that opens it "
        "makes it."
    )
    return True


@app.command(name="plan")
def plan_command(*, config: _Config = None, set_: _Set = None) -> int:
    """Show what separates the topics from those wanted; change nothing.

    Wanted are the log itself, its positions, dead letters and late records, as `ingest.topic` and
    `ingest.topic_cfg` say. Status 1 if a difference cannot be mended without losing order.

    Parameters
    ----------
    config
        YAML file with settings.
    set_
        Any other setting, as `key=value`; may be given several times.
    """
    settings = load(config, flags=pairs(set_ or []))
    if _has_none(settings):
        return 0
    wanted = wanted_topics(settings)
    changes = KafkaTopics(kafka_address(settings)).plan(wanted)
    _show(wanted, changes)
    return 1 if refused(changes) else 0


@app.command(name="apply")
def apply_command(*, config: _Config = None, set_: _Set = None) -> None:
    """Make the topics, or mend them; shows the differences first and asks nothing.

    It never deletes, and changes no partitions of a log that holds swaps: that is refused before
    anything is changed (`swapstats topics migrate` copies such a log).

    Parameters
    ----------
    config
        YAML file with settings.
    set_
        Any other setting, as `key=value`; may be given several times.
    """
    settings = load(config, flags=pairs(set_ or []))
    if _has_none(settings):
        return
    _apply(KafkaTopics(kafka_address(settings)), wanted_topics(settings))


@app.command(name="migrate")
def migrate_command(
    new_topic: str,
    /,
    *,
    partitions: int,
    follow: Annotated[bool, Parameter(negative="")] = False,
    config: _Config = None,
    set_: _Set = None,
) -> None:
    """Copy the log into a new topic with another number of partitions.

    Each token's order and all append times stay, and sources find their positions there. Stop it
    at any moment; the same command goes on. To switch without a gap: run it with --follow, stop
    `swapstats ingest` when next to nothing is left, end this with Ctrl-C when nothing is, start
    `ingest` on the new topic.

    Parameters
    ----------
    new_topic
        Name of the new topic; made if it is not there.
    partitions
        Its partitions.
    follow
        Go on copying what comes until Ctrl-C.
    config
        YAML file with settings; `ingest.topic` is the log that is copied.
    set_
        Any other setting, as `key=value`; may be given several times.
    """
    settings = load(config, flags=pairs(set_ or []))
    if new_topic == settings.ingest.topic:
        raise UsageError(f"Expected a new topic to copy {new_topic} into, was the same")
    if not 1 <= partitions <= 1_024:
        raise UsageError(f"Expected --partitions from 1 to 1024, was {partitions}")
    address = kafka_address(settings)
    _apply(KafkaTopics(address), wanted_topics(settings, topic=new_topic, partitions=partitions))
    copy = LogCopy(address, settings.ingest.topic, new_topic, PLACING_KEY)
    with contextlib.closing(copy):
        last = _copy(copy, follow=follow)
    _tell_what_next(settings, new_topic, partitions, last)


def _apply(topics: KafkaTopics, wanted: Sequence[WantedTopic]) -> None:
    changes = topics.plan(wanted)
    _show(wanted, changes)
    topics.apply(wanted, changes)
    if changes:
        counts = Counter[str](change.action for change in changes)
        done = (f"{counts[action]} {word}" for action, word in _DONE.items() if counts[action])
        _out().print(f"done: {', '.join(done)}")


def _show(wanted: Sequence[WantedTopic], changes: Sequence[TopicChange]) -> None:
    out = _out()
    if not changes:
        out.print(f"nothing to do: {', '.join(topic.name for topic in wanted)} are as wanted")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("topic", "setting", "is", "wanted", "action"):
        table.add_column(name, no_wrap=True)
    table.add_column("what to do", overflow="fold")
    for change in changes:
        cells = (change.topic, change.setting, change.found or "(none)", change.wanted)
        table.add_row(*cells, change.action, change.remedy, style=_STYLES.get(change.action, ""))
    out.print(table, markup=False)


def _copy(copy: LogCopy, *, follow: bool) -> CopyProgress:
    """Copy with a bar; with `follow`, until a signal comes; what there was by then is copied."""
    stop = threading.Event()
    with contextlib.ExitStack() as left:
        if follow:
            for number in (signal.SIGINT, signal.SIGTERM):
                left.callback(signal.signal, number, signal.signal(number, _first_sets(stop)))
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
        bar = left.enter_context(
            Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
        )
        task = bar.add_task("copying", total=None, told="")

        def on_progress(progress: CopyProgress) -> None:
            bar.update(
                task,
                total=progress.copied + progress.left,
                completed=progress.copied,
                told=f"{progress.copied:,} copied, {progress.left:,} left",
            )

        return copy.run(on_progress, lambda: follow and not stop.wait(FOLLOW_S))


def _first_sets(stop: threading.Event) -> signal.Handlers:
    """Handle a signal: the first asks for a graceful end, the second interrupts."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    return handle  # type: ignore[return-value]


def _tell_what_next(
    settings: Settings, new_topic: str, partitions: int, last: CopyProgress
) -> None:
    out = _out()
    out.print(f"{last.copied:,} records copied into {new_topic}, {last.left:,} left")
    if not last.handed_over:
        out.print(
            "Its writers go on: stop `swapstats ingest`, then the same command again copies the "
            "rest and hands over where they stand."
        )
        return
    out.print(
        f"Next: with `swapstats ingest` stopped and nothing left, set ingest.topic to {new_topic}, "
        f"ingest.topic_cfg.partitions to {partitions}, and a new ingest.group_id and "
        f"stores.redis.prefix (were {settings.ingest.group_id}, {settings.stores.redis.prefix}); "
        f"start `ingest`, then `aggregate` on the new topic, and `serve` when they are ready."
    )


def _out() -> Console:
    found = Console(highlight=False, markup=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = PLAIN_COLUMNS
    return found
