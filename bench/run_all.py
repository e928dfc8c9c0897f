"""Every benchmark in order, each in a process of its own, and a summary at the end."""

import subprocess
import sys
import time
from pathlib import Path

from swapstats.roles.bench.figures import load_findings

HERE = Path(__file__).resolve().parent
ARTIFACTS = HERE.parent / "artifacts"
SCRIPTS = ("full_path", "kernels", "memory", "checkpoint", "tick", "evm_decode", "preprocess")


def main() -> None:
    began = time.monotonic()
    failed = []
    for script in SCRIPTS:
        print(f"\n--- {script}", flush=True)
        done = subprocess.run([sys.executable, str(HERE / f"{script}.py")], check=False)
        if done.returncode:
            failed.append(script)
    missed = [line for script in SCRIPTS if script not in failed for line in misses(script)]
    print(f"\n--- all of it in {time.monotonic() - began:.0f} s")
    for script in failed:
        print(f"FAILED {script}")
    for line in missed:
        print(f"MISS {line}")
    if not failed and not missed:
        print("every target is met")
    sys.exit(1 if failed or missed else 0)


def misses(script: str) -> list[str]:
    found = load_findings(ARTIFACTS / f"bench-{script.replace('_', '-')}.json")
    return [figure.line() for figure in found.missed]


if __name__ == "__main__":
    main()
