"""Recorded logs of real chains as answers of a node, with what others made of them."""

import ast
import csv
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.evm.made_logs import Log, word

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[4] / "shared/data")) / "onchain"
ETHEREUM = "demeter_ethereum-0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640-2024-01-05"
POLYGON = "demeter_polygon-0x45dda9cb7c25131df268515131f647d726f50608-2023-11-25"
Row = dict[str, str]


def data_file(name: str) -> Path:
    """A file of real data; skips the test where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no real data at {path}: set SWAPSTATS_DATA to the folder that holds onchain/")
    return path


def rows(name: str) -> Iterator[Row]:
    with gzip.open(data_file(name), "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def objects(name: str) -> list[dict[str, Any]]:
    with gzip.open(data_file(name), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def ethereum_day() -> list[Log]:
    """Every log of one pool on one day."""
    return [
        _log(row, ETHEREUM.split("-")[1], row["topics"], row["data"])
        for row in rows(f"{ETHEREUM}.docs.raw.csv.gz")
    ]


def polygon_day() -> list[Log]:
    return [
        _log(
            row | {"log_index": row["pool_log_index"], "transaction_index": row["pool_tx_index"]},
            POLYGON.split("-")[1],
            row["pool_topics"],
            row["pool_data"],
        )
        for row in rows(f"{POLYGON}.raw.csv.gz")
    ]


def position_manager_day() -> list[Log]:
    """Every log of the contract that holds positions: it never swaps."""
    return [
        _log(row, "0xc36442b4a4522e871399cd717abdd847ab11fe88", row["topics"], row["data"])
        for row in rows("demeter_ethereum-uniswap-proxy-lp-2024-01-05.raw.csv.gz")
    ]


def two_blocks() -> list[Log]:
    """Every log of two blocks of Ethereum."""
    return [
        {
            "address": one["address"],
            "topics": one["topics"],
            "data": one["data"],
            "blockNumber": hex(one["block_number"]),
            "blockHash": one["block_hash"],
            "transactionHash": one["transaction_hash"],
            "transactionIndex": hex(one["transaction_index"]),
            "logIndex": hex(one["log_index"]),
            "removed": False,
        }
        for one in objects("ethetl_blocks_17173049_17173050.expected_logs.json.gz")
    ]


def transfers() -> list[dict[str, Any]]:
    """Every transfer of a token in the same two blocks."""
    return objects("ethetl_blocks_17173049_17173050.expected_token_transfers.json.gz")


def local_node() -> list[Log]:
    """Logs of the real V2, V3 and V4 contracts on a node of one's own."""
    found: list[Log] = json.loads(
        data_file("uniswap_v2_v3_v4_sample_logs.json").read_text(encoding="utf-8")
    )
    return found


def body(logs: Iterable[Log]) -> bytes:
    """An answer as a node writes it."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": list(logs)}
    return json.dumps(answer, separators=(",", ":")).encode()


def _log(row: Row, address: str, topics: str, data: str) -> Log:
    """The publisher keeps no block hash: one is made from the number."""
    return {
        "address": address,
        "topics": ast.literal_eval(topics),
        "data": data,
        "blockNumber": hex(int(row["block_number"])),
        "blockHash": "0x" + word(int(row["block_number"])),
        "transactionHash": row["transaction_hash"],
        "transactionIndex": hex(int(row["transaction_index"])),
        "logIndex": hex(int(row["log_index"])),
        "removed": False,
    }
