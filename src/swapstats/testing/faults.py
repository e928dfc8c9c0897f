"""Faults on purpose: stop a store between any two of its steps, or fill its disk there.

The stores call a plan with the name of every step they are about to leave, such as
`checkpoint.tokens`. A plan counts the calls and acts at those it was told to. What follows an
`InjectedCrash` is up to the test: drop the store as a killed process would, open it again, and
check that what was acknowledged is there, whole.
"""

import errno
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from swapstats.errors import UsageError

Action = Literal["crash", "full", "kill"]
"""`crash`: raise InjectedCrash. `full`: fail as on a full disk. `kill`: SIGKILL this process."""


class InjectedCrash(BaseException):
    """The process "died" here; not an Exception, so that no code under test survives it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        point: name of the step.
        action: what happens there.
        nth: at which call of that point, from 1 on.
    """

    point: str
    action: Action = "crash"
    nth: int = 1


class FaultPlan:
    """Says what goes wrong, and when; give it to a store as its `faults`.

    Args:
        faults: what goes wrong; none = a plan that only counts.

    Raises:
        UsageError: a full disk after the last write of a step (a point that ends in `.done`),
            where a store has nothing left to refuse.
    """

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        for fault in faults:
            if fault.action == "full" and fault.point.endswith(".done"):
                raise UsageError(f"Expected a point before the commit, was {fault.point}")
        self._faults = tuple(faults)
        self._calls: Counter[str] = Counter()

    @classmethod
    def seeded(
        cls, seed: int, points: Sequence[str], *, action: Action = "crash", within: int = 1
    ) -> Self:
        """Choose one of `points`, and one of its first `within` calls, by a seed.

        Args:
            seed: the same seed chooses the same.
            points: candidates; for `full`, those ending in `.done` are left out.
            action: what happens there.
            within: the fault comes at one of this many first calls of the point.
        """
        chance = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        candidates = [
            point for point in points if not (action == "full" and point.endswith(".done"))
        ]
        return cls([Fault(chance.choice(candidates), action, chance.randint(1, within))])

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong, for a test to print."""
        return self._faults

    @property
    def calls(self) -> dict[str, int]:
        """How often each point was passed so far."""
        return dict(self._calls)

    def __call__(self, point: str) -> None:
        """Count a step, and fail there if the plan says so.

        Raises:
            InjectedCrash: the plan crashes here.
            OSError: the disk is full here (ENOSPC).
        """
        self._calls[point] += 1
        for fault in self._faults:
            if fault.point == point and fault.nth == self._calls[point]:
                _act(fault)


def _act(fault: Fault) -> None:
    if fault.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.action == "full":
        raise OSError(errno.ENOSPC, f"No space left on device (injected at {fault.point})")
    raise InjectedCrash(f"stopped at {fault.point}, call {fault.nth}")
