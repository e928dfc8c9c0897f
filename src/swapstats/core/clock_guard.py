"""T in service: the wall clock, made safe to move windows by.

T = max(checkpointed T, wall clock), never backwards, and never far ahead of the time that has
really passed: a T that ran ahead would empty every window and make all that follows too old, and
no later correction could take that back. Reads no clock: the caller passes both readings in.

    wall clock     a    a+1s   a+3h    a+3h    a+3h    a+4s
    monotonic      m    m+1s   m+2s    m+3s    m+3s    m+4s
    T              a    a+1s   a+2s    a+3s    a+3h     ...
                               held    held  confirm()

- Forward jump beyond monotonic time by more than `jump_max_ms`: held. T goes on with monotonic
  time until the operator confirms, a log confirms, or the wall clock comes back.
- Small steps forward (up to the allowance) are taken: T is the wall clock again.
- Backward steps: T stands still at its maximum until the wall clock has caught up; a small one
  without a word, one beyond the allowance with a reason (`held`), since windows then stand still
  for as long as the step was wide. If the clock is wrong now, newer events wait as "not yet"
  (and are refused as too far ahead once they pass append time + `max_ahead`, for append times
  stand still too). If it was wrong before, new events miss the narrow windows until T is reached.
  T is not taken back: what left a window and was seen to leave would come back. A clock set
  right again, that is to where T would be by now, is not a jump.
- A restart has no monotonic time to compare with: T = max(checkpointed T, wall clock), and a
  checkpoint ahead of the wall clock is treated as a step back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from swapstats.errors import InvariantBroken

JUMP_MS_MAX_DEFAULT = 60_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GuardedTime:
    """The answer to one pair of readings.

    Attributes:
        t_ms: T to use, milliseconds since the Unix epoch; never lower than the one before.
        held: why T does not follow the wall clock, for people; None if it does.
    """

    t_ms: int
    held: str | None = None


@dataclass(slots=True)
class _Point:
    """One moment on both clocks, in milliseconds."""

    wall_ms: int
    mono_ms: int

    def projected_ms(self, mono_ms: int) -> int:
        """Wall time expected at a later monotonic time."""
        return self.wall_ms + mono_ms - self.mono_ms


class ClockGuard:
    """Turns readings of the two clocks into T.

    One guard serves any number of shards that share a T; not safe for use from several threads.

    Args:
        jump_max_ms: by how much the wall clock may run ahead of monotonic time from one reading
            to the next, and by how much it may be behind T without a word; milliseconds.
        initial_ms: checkpointed T; 0 if there is none.
    """

    def __init__(self, jump_max_ms: int = JUMP_MS_MAX_DEFAULT, initial_ms: int = 0) -> None:
        self._jump_max_ms = jump_max_ms
        self._t_ms = initial_ms
        self._seen: _Point | None = None
        self._good: _Point | None = None
        self._lead: _Point | None = None
        self._jumped: tuple[int, int] | None = None

    @property
    def t_ms(self) -> int:
        """The newest T, milliseconds since the Unix epoch."""
        return self._t_ms

    def read(self, wall_ms: int, monotonic_ms: int) -> GuardedTime:
        """Take one pair of readings.

        Args:
            wall_ms: wall clock, milliseconds since the Unix epoch.
            monotonic_ms: monotonic clock, milliseconds; no lower than at the call before.

        Returns:
            T, and why it is held if it is.

        Raises:
            InvariantBroken: monotonic time went back.
        """
        now = _Point(wall_ms, monotonic_ms)
        if self._seen is not None and monotonic_ms < self._seen.mono_ms:
            raise InvariantBroken(
                f"Expected monotonic time of {self._seen.mono_ms} ms or more, was {monotonic_ms}"
            )
        self._seen = now
        if self._good is None or self._lead is None:
            self._good = self._lead = now
            if wall_ms < self._t_ms:
                self._lead = _Point(self._t_ms, monotonic_ms)
        if wall_ms > self._lead.projected_ms(monotonic_ms) + self._jump_max_ms:
            return self._hold(self._good.projected_ms(monotonic_ms), wall_ms)
        self._jumped = None
        self._good = now
        if wall_ms >= self._t_ms:
            self._lead = now
            self._t_ms = wall_ms
        behind_ms = self._t_ms - wall_ms
        if behind_ms > self._jump_max_ms:
            return GuardedTime(self._t_ms, _behind(behind_ms, self._t_ms))
        return GuardedTime(self._t_ms)

    def confirm(self) -> None:
        """The operator says that the wall clock, as last read, is right: T follows it again.

        A jump that comes after that reading is judged anew. Without a held jump it does nothing.
        """
        if self._jumped is not None:
            self._good = self._lead = self._seen

    def confirm_append_ms(self, append_ms: int) -> None:
        """Let an append time of an external log speak for the wall clock.

        Args:
            append_ms: append time given by a broker (never by this machine's own clock),
                milliseconds since the Unix epoch. At or beyond the jumped wall clock less the
                allowance it confirms the jump; a lower one says nothing.
        """
        if self._seen is not None and append_ms >= self._seen.wall_ms - self._jump_max_ms:
            self.confirm()

    def _hold(self, projected_ms: int, wall_ms: int) -> GuardedTime:
        """Go on without the wall clock, and say since when and by how much it is ahead."""
        self._t_ms = max(self._t_ms, projected_ms)
        ahead_ms = wall_ms - projected_ms
        if self._jumped is None or abs(ahead_ms - self._jumped[1]) > self._jump_max_ms:
            self._jumped = (projected_ms, ahead_ms)
        from_ms, jump_ms = self._jumped
        return GuardedTime(
            self._t_ms,
            f"wall clock jumped forward by {_span(jump_ms)} at {_moment(from_ms)}: windows go on "
            f"without the jump until the clock comes back, append times agree with it, or an "
            f"operator confirms it",
        )


def _behind(behind_ms: int, t_ms: int) -> str:
    """Say that the wall clock is behind T."""
    return (
        f"wall clock is {_span(behind_ms)} behind {_moment(t_ms)}, which windows have already "
        f"reached: they stand still until it catches up; set the clock right, or rebuild the "
        f"state from the log if the clock was wrong before"
    )


def _span(span_ms: int) -> str:
    """Write a span in its two largest units.

    >>> _span(10_920_000), _span(61_500), _span(3_600_000), _span(200_000_000)
    ('3 h 2 min', '1 min 1 s', '1 h', '2 d 7 h')
    """
    parts = []
    rest_ms = span_ms
    for unit, unit_ms in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        count, rest_ms = divmod(rest_ms, unit_ms)
        parts.append((count, unit))
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    shown = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or f"{span_ms} ms"


def _moment(at_ms: int) -> str:
    """Write a moment in UTC, or as milliseconds if the calendar ends before it."""
    try:
        moment = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return f"{at_ms} ms after 1970"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
