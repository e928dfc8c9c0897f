"""Write `docs/BENCHMARKS.md` from the figures of the last runs: see `bench/README.md`."""

from pathlib import Path

from swapstats.roles.bench.figures import load_findings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "BENCHMARKS.md"
COMMANDS = {
    "full-path": "bench/full_path.py",
    "kernels": "bench/kernels.py",
    "memory": "bench/memory.py",
    "checkpoint": "bench/checkpoint.py",
    "tick": "bench/tick.py",
}
HEAD = """# Benchmarks

What the engine costs, measured. Written by `.venv/bin/python bench/page.py` from the figures of
the last runs: nothing here is typed in by hand, and what was not measured is marked `computed`.
What each benchmark does and how to read it is in [bench/README.md](../bench/README.md);
`make bench` runs all of them, `swapstats bench` a short form of some.

Where a figure was measured repeatedly, the value is the median, and the lowest and highest stand
beside it. Targets are held against the median. Elapsed times suffer from whatever else the machine
does; its load when a benchmark began is stated. Figures by processor time suffer less.
"""


def main() -> None:
    parts = [HEAD]
    for title, command in COMMANDS.items():
        path = ROOT / "artifacts" / f"bench-{title}.json"
        if not path.exists():
            print(f"no {path}: {command} left out")
            continue
        found = load_findings(path)
        parts.append(f"## {found.title.capitalize()}\n")
        parts.append(f"`.venv/bin/python {command}`, {found.day}. {found.machine.line()}.\n")
        parts.append("\n".join(found.method) + "\n")
        rows = "\n".join(figure.row() for figure in found.figures)
        table = "| figure | value | lowest to highest | target | note |\n|---|---|---|---|---|"
        parts.append(f"{table}\n{rows}\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(f"written to {PAGE}")


if __name__ == "__main__":
    main()
