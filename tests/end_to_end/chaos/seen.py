"""Everything that any client was told, held against itself: nothing goes back, nothing disagrees.

The windows of a token are a function of the position in the log and of the end of the windows, so
two answers with the same token, position and end must hold the same numbers, whoever gave them and
whichever way: HTTP or WebSocket, before or after a restart, under one owner or the next.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

KNOWN_MAX = 150_000
COMPLAINTS_MAX = 40
SAMPLES_MAX = 24


class Seen:
    """What clients saw; used from one thread.

    Attributes:
        complaints: what must not be, for people.
        agreed: answers that were the same as one that somebody else was given.
        told: answers taken in.
        samples: whole answers over HTTP, spread over the run, to be proved afterwards.
        gap_ms_max: longest time in which nobody at all was answered over HTTP.
    """

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.agreed = 0
        self.told = 0
        self.samples: list[dict[str, Any]] = []
        self.gap_ms_max = 0.0
        self._answered_s: float | None = None
        self._known: OrderedDict[tuple[str, int, int], tuple[str, str]] = OrderedDict()
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._every = 1
        self._offered = 0

    def complain(self, text: str) -> None:
        """Note what must not be."""
        if len(self.complaints) < COMPLAINTS_MAX:
            self.complaints.append(text)

    def place(self, who: str, what: str, as_of: int, offset: int) -> None:
        """Take note of a moment and a position; neither may go back for one client.

        Args:
            who: the client.
            what: token, partition or stream: what the position belongs to.
            as_of: the moment.
            offset: the position.
        """
        before = self._places.get((who, what), (0, 0))
        if as_of < before[0] or offset < before[1]:
            self.complain(f"{who}: {what} went back from {before} to {(as_of, offset)}")
        self._places[who, what] = (max(as_of, before[0]), max(offset, before[1]))

    def numbers(self, who: str, data: Mapping[str, Any]) -> None:
        """Hold the windows of a token against all others of the same position and end."""
        self.told += 1
        place = (str(data["token"]), int(data["end"]), int(data["position"]["offset"]))
        text = json.dumps(
            {name: value for name, value in data.items() if name[0] == "w"}, sort_keys=True
        )
        before = self._known.get(place)
        if before is None:
            self._known[place] = (who, text)
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)
        elif before[1] != text:
            self.complain(f"{place}: {before[0]} was told {before[1]}, {who} {text}")
        elif before[0] != who:
            self.agreed += 1

    def answered(self, now_s: float) -> None:
        """Take note that some API answered."""
        if self._answered_s is not None:
            self.gap_ms_max = max(self.gap_ms_max, (now_s - self._answered_s) * 1_000)
        self._answered_s = now_s

    def sample(self, answer: dict[str, Any]) -> None:
        """Keep some whole answers, evenly spread however many there are."""
        self._offered += 1
        if self._offered % self._every == 0:
            self.samples.append(answer)
        if len(self.samples) > SAMPLES_MAX:
            del self.samples[::2]
            self._every *= 2
