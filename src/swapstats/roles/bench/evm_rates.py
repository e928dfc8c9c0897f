"""Rates of decoding the logs of EVM chains, against typed JSON decoding of the same bytes.

The floor is one msgspec decode of an answer to a list of logs, hex text left as it is, the list
thrown away: what it costs to have the logs as objects, before a number is read. Floor and decoding
run in turns over the same answers. Times are processor time of this thread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.registry import standard_registry
from swapstats.errors import InvariantBroken
from swapstats.roles.bench.evm_answers import MANAGER, Answers
from swapstats.roles.bench.figures import Figure

LOGS_PER_S_MIN: Final = 200_000.0


class _Answer(msgspec.Struct):
    result: list[EvmLog]


_decode_floor: Final = msgspec.json.Decoder(_Answer).decode
_registry: Final = standard_registry([MANAGER])


@dataclass(slots=True)
class Rates:
    """What was measured with answers of one kind.

    Attributes:
        answers: with which.
        decoding: logs a second, one a round.
        floor: the same of the floor.
    """

    answers: Answers
    decoding: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    def figures(self) -> list[Figure]:
        """Rate, floor, and the ratio taken round by round."""
        name = self.answers.name
        ratios = [one / floor for one, floor in zip(self.decoding, self.floor, strict=True)]
        return [
            Figure.spread(f"{name}: answer to swaps", self.decoding, "logs/s", LOGS_PER_S_MIN),
            Figure.spread(f"{name}: floor", self.floor, "logs/s"),
            Figure.spread(f"{name}: decoding over the floor", ratios, "times"),
        ]


def measure_rates(kinds: list[Answers], rounds: int) -> list[Rates]:
    """Measure floor and decoding in turns, every kind of answers once a round.

    Raises:
        InvariantBroken: not every swap was decoded.
    """
    found = [Rates(answers) for answers in kinds]
    for rates in found:
        _check(rates.answers)
    for _ in range(rounds):
        for rates in found:
            rates.floor.append(_rate(rates.answers, _decode_floor))
            rates.decoding.append(_rate(rates.answers, _decode_whole))
    return found


def _decode_whole(body: bytes) -> object:
    return decode_logs(body, _registry)


def _rate(answers: Answers, decode: Callable[[bytes], object]) -> float:
    began = time.thread_time()
    for body in answers.bodies:
        decode(body)
    return answers.logs / max(time.thread_time() - began, 1e-9)


def _check(answers: Answers) -> None:
    found = [decode_logs(body, _registry) for body in answers.bodies]
    swaps = sum(len(one.swaps) for one in found)
    syncs = sum(one.syncs for one in found)
    if swaps != answers.swaps or swaps + syncs != answers.logs:
        raise InvariantBroken(f"Expected {answers.swaps} swaps decoded, was {swaps}")
