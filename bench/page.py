"""Write the pages of figures from the figures of the last runs: see `bench/README.md`."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from swapstats.roles.bench.figures import load_findings

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Benchmarks

What the engine costs, measured. Written by `.venv/bin/python bench/page.py` from the figures of
the last runs: nothing here is typed in by hand, and what was not measured is marked `computed`.
What each benchmark does and how to read it is in [bench/README.md](../bench/README.md);
`make bench` runs all of them, `swapstats bench` a short form of some. What real servers add is in
[BENCHMARKS_SERVERS.md](BENCHMARKS_SERVERS.md).

Where a figure was measured repeatedly, the value is the median, and the lowest and highest stand
beside it. Targets are held against the median. Elapsed times suffer from whatever else the machine
does; its load when a benchmark began is stated. Figures by processor time suffer less.
"""
HEAD_SERVERS = """# Benchmarks on real servers

What catching up, checkpoints and a long run cost on Kafka, Redis, NATS and S3, started by the
benchmarks themselves on one machine. Written by `.venv/bin/python bench/page.py` from the figures
of the last runs: nothing here is typed in by hand, and what was not measured is marked `computed`.
What each does and how to read it is in [bench/README.md](../bench/README.md); `make bench-servers`
runs the first two, `make soak` the last.

Where a figure was measured repeatedly, the value is the median, and the lowest and highest stand
beside it. Targets are held against the median. Elapsed times suffer from whatever else the machine
does; its load when a benchmark began is stated. Figures by processor time suffer less.
"""
PROVISIONAL = """
**Provisional.** These figures were taken while the machine did other work, more than its cores
could do at times: they show that the benchmarks work and no more. They are to be taken anew on a
machine that does nothing else.
"""
PICTURE = """![Memory, lag, checkpoints and unread records over the run](pictures/soak.svg)
"""


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: of the file under `docs`.
        head: what stands above the figures.
        commands: title of the findings -> script.
    """

    name: str
    head: str
    commands: dict[str, str]


ENGINE = Page(
    "BENCHMARKS.md",
    HEAD,
    {
        "full-path": "bench/full_path.py",
        "kernels": "bench/kernels.py",
        "memory": "bench/memory.py",
        "checkpoint": "bench/checkpoint.py",
        "tick": "bench/tick.py",
        "evm-decode": "bench/evm_decode.py",
    },
)
SERVERS = Page(
    "BENCHMARKS_SERVERS.md",
    HEAD_SERVERS,
    {
        "catch-up": "bench/catch_up.py",
        "catch-up-archived": "bench/catch_up.py --archive",
        "checkpoint-servers": "bench/checkpoint_servers.py",
        "soak": "bench/soak.py",
    },
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", action="store_true", help="the page of real servers only")
    parser.add_argument("--provisional", action="store_true", help="say that they are")
    given = parser.parse_args()
    for page in [SERVERS] if given.servers else [ENGINE, SERVERS]:
        write(page, PROVISIONAL if given.provisional else "")


def write(page: Page, remark: str) -> None:
    """Write a page of those figures that are there."""
    parts = [page.head + remark]
    for title, command in page.commands.items():
        path = ROOT / "artifacts" / f"bench-{title}.json"
        if not path.exists():
            print(f"no {path}: {command} left out")
            continue
        found = load_findings(path)
        parts.append(f"## {found.title.capitalize()}\n")
        parts.append(f"`.venv/bin/python {command}`, {found.day}. {found.machine.line()}.\n")
        parts.append("\n".join(found.method) + "\n")
        if title == "soak":
            parts.append(PICTURE)
        rows = "\n".join(figure.row() for figure in found.figures)
        table = "| figure | value | lowest to highest | target | note |\n|---|---|---|---|---|"
        parts.append(f"{table}\n{rows}\n")
    path = ROOT / "docs" / page.name
    path.write_text("\n".join(parts), encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
