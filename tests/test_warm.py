"""Warming: what production calls afterwards is compiled already, with the types it uses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.roles.replayed import mixed_stream

from swapstats.warm import warm

# In a process of its own: other tests call kernels with types of their own.
_REPLAY_AFTER_WARMING = """
import importlib, json, pkgutil, sys
from pathlib import Path
from numba.core.registry import CPUDispatcher
import swapstats.core.kernels as kernels
from swapstats.warm import warm

def compiled():
    found = {}
    for info in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"{kernels.__name__}.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, CPUDispatcher):
                found[f"{info.name}.{name}"] = [str(one) for one in value.signatures]
    return found

warm()
before = compiled()
from swapstats.cli.audit import audit_command
from swapstats.cli.replay import replay_command
from swapstats.cli.stats import stats_command
lines, data_dir = sys.argv[1], Path(sys.argv[2])
replay_command(lines, data_dir=data_dir, report=data_dir / "report.json")
replay_command(lines, data_dir=data_dir, report=data_dir / "again.json")
stats_command("BTC", data_dir=data_dir)
audit_command(data_dir=data_dir)
from swapstats.core.evm.decode import decode_list, decode_logs
from swapstats.core.evm.registry import standard_registry
from swapstats.roles.bench.evm_answers import MANAGER, PROTOCOLS, make_answers
(body,) = make_answers("warm", PROTOCOLS, 1, 50).bodies
assert len(decode_logs(body, standard_registry([MANAGER])).swaps) == 50
assert decode_list(b"[{}]", standard_registry([MANAGER])).logs == 1
print(json.dumps([before, compiled()]))
"""


def test_nothing_is_compiled_after_it(tmp_path: Path) -> None:
    lines = tmp_path / "lines.ndjson"
    lines.write_bytes(b"".join(message + b"\n" for message in mixed_stream(1)))
    done = subprocess.run(
        [sys.executable, "-c", _REPLAY_AFTER_WARMING, str(lines), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert sum(1 for signatures in before.values() if signatures) > 10
    assert {name: after[name] for name in after if after[name] != before[name]} == {}


def test_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    warm()
    assert list(tmp_path.iterdir()) == []
