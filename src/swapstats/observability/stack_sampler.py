"""A sampling profiler: what every Python thread is doing, many times a second.

It reads the frames of running threads and never stops or traces them; a thread inside a compiled
kernel shows as the Python line that called it. Weights are CPU time where the kernel tells a
thread's share (Linux), so that threads that only wait do not drown those that work.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Literal

HZ_DEFAULT = 100
DEPTH_MAX = 128
STACKS_MAX = 20_000

_Stack = tuple[str, *tuple[CodeType, ...]]
_CROWD: _Stack = ("stacks beyond the limit",)


@dataclass(frozen=True, slots=True)
class StackProfile:
    """What was seen.

    Attributes:
        mode: `cpu` (weights are microseconds of CPU time) or `wall` (weights are samples).
        weights: stack of labels, thread first and innermost last -> weight.
        sample_count: how often all threads were looked at.
        span_ms: how long it took, in milliseconds.
        cpu_ms: CPU time the whole process used meanwhile, in milliseconds.
    """

    mode: Literal["cpu", "wall"]
    weights: dict[tuple[str, ...], int]
    sample_count: int
    span_ms: int
    cpu_ms: int

    def folded(self) -> str:
        """Write one line a stack, `outer;inner weight`: for flame graph tools and speedscope."""
        return "".join(
            f"{';'.join(stack)} {weight}\n" for stack, weight in sorted(self.weights.items())
        )

    def table(self, limit: int = 50) -> str:
        """Write the functions with the largest own weight, for people."""
        own: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for stack, weight in self.weights.items():
            own[stack[-1]] += weight
            for label in set(stack[1:]):
                total[label] += weight
        whole = sum(self.weights.values()) or 1
        lines = [
            f"{self.sample_count} samples in {self.span_ms} ms; the process used {self.cpu_ms} ms "
            f"of CPU time; weights are "
            + ("CPU time" if self.mode == "cpu" else "samples, waiting threads included"),
            "",
            "   own  total  function",
        ]
        lines += [
            f"{100 * weight / whole:5.1f}% {100 * total[label] / whole:5.1f}%  {label}"
            for label, weight in own.most_common(limit)
        ]
        return "\n".join(lines) + "\n"


def sample_stacks(
    span_ms: int,
    stop: threading.Event,
    *,
    hz: int = HZ_DEFAULT,
    mode: Literal["cpu", "wall"] = "cpu",
) -> StackProfile:
    """Look at all threads but the calling one, which blocks meanwhile.

    Args:
        span_ms: for how long, in milliseconds.
        stop: ends it early when set.
        hz: looks a second.
        mode: `cpu` falls back to `wall` where the system does not tell threads apart.

    Returns:
        The profile; at most STACKS_MAX different stacks, the rest in one.
    """
    shares = CpuShares() if mode == "cpu" and CpuShares.available() else None
    me = threading.get_ident()
    counts: Counter[_Stack] = Counter()
    start_ns, start_cpu_ns = time.monotonic_ns(), time.process_time_ns()
    deadline_ns = start_ns + span_ms * 1_000_000
    sample_count = 0
    while time.monotonic_ns() < deadline_ns and not stop.wait(1 / hz):
        threads = {thread.ident: thread for thread in threading.enumerate()}
        stacks = [
            (ident, _walk(threads[ident].name if ident in threads else f"thread {ident}", frame))
            for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way
            if ident != me
        ]
        sample_count += 1
        for ident, stack in stacks:
            weight = 1
            if shares is not None:
                thread = threads.get(ident)
                weight = shares.used_us(thread.native_id if thread else None)
            if weight:
                counts[stack if stack in counts or len(counts) < STACKS_MAX else _CROWD] += weight
    return StackProfile(
        mode="wall" if shares is None else "cpu",
        weights=_labelled(counts.items()),
        sample_count=sample_count,
        span_ms=(time.monotonic_ns() - start_ns) // 1_000_000,
        cpu_ms=(time.process_time_ns() - start_cpu_ns) // 1_000_000,
    )


class CpuShares:
    """CPU time of single threads, from the kernel's scheduler statistics."""

    _FOLDER = Path("/proc/self/task")

    def __init__(self) -> None:
        self._used_ns: dict[int, int] = {}

    @classmethod
    def available(cls) -> bool:
        """Whether this system tells."""
        return cls._read_ns(threading.get_native_id()) is not None

    def used_us(self, native_id: int | None) -> int:
        """Microseconds a thread ran since the last call for it; 0 at the first or if unknown."""
        used_ns = None if native_id is None else self._read_ns(native_id)
        if native_id is None or used_ns is None:
            return 0
        before_ns = self._used_ns.get(native_id, used_ns)
        self._used_ns[native_id] = used_ns
        return max(used_ns - before_ns, 0) // 1_000

    @classmethod
    def _read_ns(cls, native_id: int) -> int | None:
        """CPU time of a thread so far, in nanoseconds."""
        try:
            return int((cls._FOLDER / str(native_id) / "schedstat").read_bytes().split()[0])
        except (OSError, ValueError, IndexError):
            return None


def _walk(thread: str, frame: FrameType | None) -> _Stack:
    """List a thread's code objects, outermost first."""
    codes: list[CodeType] = []
    while frame is not None and len(codes) < DEPTH_MAX:
        codes.append(frame.f_code)
        frame = frame.f_back
    return (thread, *reversed(codes))


def _labelled(counts: Iterable[tuple[_Stack, int]]) -> dict[tuple[str, ...], int]:
    """Turn code objects into text once, after the sampling."""
    weights: Counter[tuple[str, ...]] = Counter()
    for (thread, *codes), weight in counts:
        weights[(_clean(thread), *(_label(code) for code in codes))] += weight
    return dict(weights)


def _label(code: CodeType) -> str:
    """Write a function as `name (file:line)`, the file with its folder."""
    file = "/".join(Path(code.co_filename).parts[-2:])
    return _clean(f"{code.co_qualname} ({file}:{code.co_firstlineno})")


def _clean(text: str) -> str:
    """Keep a label from breaking the folded format."""
    return text.replace(";", ",").replace("\n", " ")
