"""Answers questions about single tokens' buckets on the thread that owns the shards."""

import queue
from collections.abc import Mapping
from concurrent.futures import Future

from swapstats.core.shard import Shard
from swapstats.errors import Transient
from swapstats.model.series import SeriesAnswer

REQUESTS_MAX = 256


class SeriesDesk:
    """Takes requests from any thread and answers them between two batches."""

    def __init__(self) -> None:
        self._requests: queue.Queue[tuple[str, int, int, Future[SeriesAnswer]]] = queue.Queue(
            REQUESTS_MAX
        )

    def request(self, key: str, partition: int, span_ms: int) -> Future[SeriesAnswer]:
        """Ask for a token's last buckets.

        Raises:
            Transient: too many requests wait already.
        """
        answer: Future[SeriesAnswer] = Future()
        try:
            self._requests.put_nowait((key, partition, span_ms, answer))
        except queue.Full:
            raise Transient("too many series are asked for at once") from None
        return answer

    def answer(self, shards: Mapping[int, Shard]) -> None:
        """Answer everyone who waits."""
        while True:
            try:
                key, partition, span_ms, answer = self._requests.get_nowait()
            except queue.Empty:
                return
            if not answer.set_running_or_notify_cancel():
                continue
            shard = shards.get(partition)
            if shard is None:
                answer.set_exception(Transient(f"partition {partition} is not here now"))
                continue
            answer.set_result(
                SeriesAnswer(
                    as_of_ms=shard.t_ms,
                    end_ms=shard.windows.end_ms,
                    step_ms=shard.config.spec.step_ms,
                    points=shard.series(key, span_ms),
                )
            )

    def refuse(self) -> None:
        """Tell those who still wait that nobody will answer."""
        while not self._requests.empty():
            answer = self._requests.get_nowait()[3]
            if answer.set_running_or_notify_cancel():
                answer.set_exception(Transient("the aggregator has stopped"))
