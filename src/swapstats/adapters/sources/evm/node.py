"""Questions about a chain to one node; every answer is checked against what was asked."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from swapstats.adapters.sources.evm.rpc import Call, RpcClient
from swapstats.adapters.sources.evm.rpc_errors import RpcError, RpcGarbage, RpcMissing, RpcRefused
from swapstats.core.evm.chain import Header
from swapstats.core.evm.decode import decode_list
from swapstats.core.evm.logs import CreatedPool, DecodedLogs, DecodedSwap
from swapstats.core.evm.registry import Registry
from swapstats.errors import Rejected

NODE_FAULTS: Final = frozenset({"bad_shape", "bad_hex", "removed"})
"""Reasons for which a log cannot be on any chain: the node made it up."""
REVERT_CODE: Final = 3
VM_CODE: Final = -32015
FAULT_WORDS: Final = (
    "revert", "opcode", "out of gas", "invalid jump", "stack", "vm execution", "evm error",
    "return data out of bounds", "gas uint64 overflow", "write protection", "call depth",
)  # fmt: skip
"""How nodes tell that a contract failed by itself, which anybody's contract may do on purpose."""
CALL_GAS: Final = hex(5_000_000)
"""Enough for what tokens say of themselves; a contract that runs on and on costs no more."""
HASH: Final = re.compile(r"0x[0-9a-f]{64}")
QUANTITY: Final = re.compile(r"0x[0-9a-f]{1,16}")
TIME_S_MAX: Final = 1 << 40
_log = logging.getLogger("swapstats.sources.evm")

LOG_SHOWN_BYTES: Final = 500
LOOP_BYTES_MAX: Final = 1 << 18
"""A larger list of logs is read in a thread: 5,000 swaps take some 50 ms."""


class _HeaderAnswer(msgspec.Struct, frozen=True, rename="camel"):
    number: str
    hash: str
    parent_hash: str
    timestamp: str


_decode_header: Final = msgspec.json.Decoder(_HeaderAnswer | None).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class ChainNode:
    """One node of one chain.

    Args:
        client: carries calls.
        registry: events to ask for.
        addresses: contracts whose logs are asked for; empty = all.
        refused: where logs that should have been swaps and are none are counted, by reason.
    """

    def __init__(
        self,
        client: RpcClient,
        registry: Registry,
        addresses: Sequence[str] = (),
        refused: Counter[str] | None = None,
    ) -> None:
        self._refused: Counter[str] = Counter() if refused is None else refused
        self._client = client
        self._registry = registry
        self._filter: dict[str, Any] = {"topics": [registry.topics()]}
        if addresses:
            self._filter["address"] = list(addresses)

    @property
    def host(self) -> str:
        """Whom it asks, for people."""
        return self._client.host

    async def chain_id(self) -> int:
        """Ask which chain it is on."""
        return self._quantity(await self._client.call("eth_chainId"))

    async def head(self) -> Header:
        """Ask for the newest block."""
        answer = await self._client.call("eth_getBlockByNumber", "latest", False)
        return self._known(self._header(answer), "latest")

    async def finalized(self) -> Header | None:
        """Ask for the newest finalised block; None where the node knows of none (yet)."""
        try:
            return self._header(await self._client.call("eth_getBlockByNumber", "finalized", False))
        except RpcRefused:
            return None

    async def header_of(self, block_hash: str) -> Header:
        """Ask for a header by its hash.

        Raises:
            RpcMissing: it does not know it.
        """
        answer = await self._client.call("eth_getBlockByHash", block_hash, False)
        header = self._known(self._header(answer), block_hash)
        if header.hash != block_hash:
            raise RpcGarbage(f"Expected block {block_hash} of {self.host}, was {header.hash}")
        return header

    async def headers_at(self, numbers: Sequence[int]) -> list[Header]:
        """Ask for headers by number, in order.

        Raises:
            RpcMissing: it does not know one of them.
        """
        calls = [Call("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        headers = []
        for number, answer in zip(numbers, await self._client.call_all(calls), strict=True):
            header = self._known(self._header(answer), str(number))
            if header.number != number:
                raise RpcGarbage(f"Expected block {number} of {self.host}, was {header.number}")
            headers.append(header)
        return headers

    async def logs_of(self, headers: Sequence[Header]) -> list[DecodedLogs]:
        """Ask for the logs of blocks, by their hashes, and check that they are theirs."""
        calls = [
            Call("eth_getLogs", (self._filter | {"blockHash": header.hash},)) for header in headers
        ]
        answers = await self._client.call_all(calls)
        found = []
        for header, answer in zip(headers, answers, strict=True):
            logs = await self._logs(answer)
            for one in _placed(logs):
                if (one.block_hash, one.block_number) != (header.hash, header.number):
                    raise RpcGarbage(
                        f"Expected logs of block {header.hash} of {self.host}, "
                        f"was one of {one.block_hash}"
                    )
            found.append(logs)
        return found

    async def logs_between(self, first: int, last: int) -> DecodedLogs:
        """Ask for the logs of all blocks from `first` to `last`."""
        bounds = {"fromBlock": hex(first), "toBlock": hex(last)}
        logs = await self._logs(await self._client.call("eth_getLogs", self._filter | bounds))
        for one in _placed(logs):
            if not first <= one.block_number <= last:
                raise RpcGarbage(
                    f"Expected logs of blocks {first} to {last} of {self.host}, "
                    f"was one of block {one.block_number}"
                )
        return logs

    async def creations(
        self, emitters: Sequence[str], topic0: str, pools: Sequence[str], first: int, last: int
    ) -> DecodedLogs:
        """Ask for the logs with which `emitters` created some of `pools`."""
        bounds = {"fromBlock": hex(first), "toBlock": hex(last)}
        asked = bounds | {"address": list(emitters), "topics": [topic0, list(pools)]}
        return await self._logs(await self._client.call("eth_getLogs", asked))

    async def contract_calls(
        self, calls: Sequence[tuple[str, str]], at_hash: str
    ) -> list[str | None]:
        """Call contracts as of a block: (address, calldata) each; None where one reverted.

        Raises:
            RpcError: a call failed for another reason than the contract's own.
        """
        asked = [_contract_call(call, {"blockHash": at_hash}) for call in calls]
        answers = await self._client.settle_all(asked)
        refused = [index for index, answer in enumerate(answers) if _is_refused(answer)]
        if refused:
            # A node that is behind knows nothing of a new contract, and would say so.
            await self.header_of(at_hash)
        # Nodes that keep no old state, or take no hash here: what tokens say does not change.
        asked = [_contract_call(calls[index], "latest") for index in refused]
        for index, answer in zip(refused, await self._client.settle_all(asked), strict=True):
            if isinstance(answer, RpcRefused) and _is_refused(answer):
                raise answer
            answers[index] = answer
        return [None if isinstance(answer, RpcError) else self._text(answer) for answer in answers]

    async def _logs(self, answer: bytes) -> DecodedLogs:
        if len(answer) <= LOOP_BYTES_MAX:
            return self._read_logs(answer)
        return await asyncio.to_thread(self._read_logs, answer)

    def _read_logs(self, answer: bytes) -> DecodedLogs:
        try:
            logs = decode_list(answer, self._registry)
        except Rejected:
            raise RpcGarbage(f"Expected a list of logs of {self.host}, was none") from None
        for refused in logs.refused:
            if refused.reason in NODE_FAULTS:
                raise RpcGarbage(f"Expected logs of {self.host}, was one with {refused.reason}")
            if refused.reason not in self._refused:
                _log.warning(
                    "a log of %s has the topic of a swap and is none (%s; more are only counted): "
                    "%s %s", self.host, refused.reason, refused.detail,
                    refused.raw[:LOG_SHOWN_BYTES].decode(errors="replace"),
                )  # fmt: skip
            self._refused[refused.reason] += 1
        places = [(one.block_number, one.log_index) for one in logs.swaps]
        if len(set(places)) != len(places):
            raise RpcGarbage(f"Expected each log of {self.host} once, was one twice")
        logs.swaps.sort(key=lambda one: (one.block_number, one.log_index))
        return logs

    def _header(self, answer: bytes) -> Header | None:
        try:
            said = _decode_header(answer)
        except msgspec.MsgspecError:
            raise RpcGarbage(f"Expected a block of {self.host}, was none") from None
        if said is None:
            return None
        block_hash, parent_hash = said.hash.lower(), said.parent_hash.lower()
        numbers = (said.number.lower(), said.timestamp.lower())
        if (
            not HASH.fullmatch(block_hash)
            or not HASH.fullmatch(parent_hash)
            or not all(QUANTITY.fullmatch(number) for number in numbers)
            or int(numbers[1], 16) > TIME_S_MAX
        ):
            raise RpcGarbage(f"Expected a block of {self.host}, was one with bad fields")
        return Header(int(numbers[0], 16), block_hash, parent_hash, int(numbers[1], 16) * 1_000)

    def _known(self, header: Header | None, asked: str) -> Header:
        if header is None:
            raise RpcMissing(f"Expected block {asked} of {self.host}, was none (yet)", 0)
        return header

    def _quantity(self, answer: bytes) -> int:
        text = self._text(answer).lower()
        if not QUANTITY.fullmatch(text):
            raise RpcGarbage(f"Expected a number of {self.host}, was none")
        return int(text, 16)

    def _text(self, answer: bytes) -> str:
        try:
            return _decode_text(answer)
        except msgspec.MsgspecError:
            raise RpcGarbage(f"Expected hex text of {self.host}, was none") from None


def _placed(logs: DecodedLogs) -> list[DecodedSwap | CreatedPool]:
    return [*logs.swaps, *logs.created]


def _contract_call(call: tuple[str, str], at_block: Any) -> Call:
    address, data = call
    return Call("eth_call", ({"to": address, "data": data, "gas": CALL_GAS}, at_block))


def _is_refused(answer: bytes | RpcRefused) -> bool:
    """Whether the node refuses; a contract that fails is an answer."""
    if not isinstance(answer, RpcRefused):
        return False
    said = answer.said.lower()
    is_fault = any(word in said for word in FAULT_WORDS)
    return not is_fault and answer.code not in {REVERT_CODE, VM_CODE}
