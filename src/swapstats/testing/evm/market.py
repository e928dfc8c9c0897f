"""A small market on a test chain: real Uniswap V2, V3 and V4, tokens of every temper, some traders.

All of it is set up by two blocks.
"""

from dataclasses import dataclass
from math import isqrt
from typing import Any, Final

from swapstats.testing.evm.abi import call_data, encoded
from swapstats.testing.evm.chain import GAS_PRICE, BlockPlan, DevChain
from swapstats.testing.evm.contracts import compiled, flash_borrower, odd_token, standard_token
from swapstats.testing.evm.keccak import keccak256
from swapstats.testing.evm.signing import Account, created_address

ETHER: Final = 10**18
MILLION: Final = 10**6
V3_FEE: Final = 500
V4_FEE: Final = 3_000
_V4_SPACING: Final = 60
_TICK_MAX: Final = 887_220
"""Highest tick that both spacings, 10 and 60, divide."""
_FOREVER: Final = 2**40
_ALL: Final = 2**255
_SETUP_GAS: Final = 8_000_000
_TRADERS: Final = 6
_NOBODY: Final = "0x" + "0" * 40
POOL_KEY: Final = "(address,address,uint24,int24,address)"

DEPLOYER: Final = Account.named("deployer")
TRADERS: Final = tuple(Account.named(f"trader {number}") for number in range(_TRADERS))
EVERYBODY: Final = tuple(account.address for account in (DEPLOYER, *TRADERS))
"""Who needs a balance before the first block."""


@dataclass(frozen=True, slots=True)
class Market:
    """Addresses of the market.

    Attributes:
        weth: wrapped native coin, 18 decimals.
        usdc: stablecoin, 6 decimals.
        foo: ordinary token, 18 decimals.
        fee_token: takes a hundredth of each transfer (DTT).
        old_token: answers `symbol()` with bytes32, as the oldest tokens do; 9 decimals.
        mute_token: fails when it is asked for its symbol or decimals.
        absurd_token: its decimals do not fit into anything, its symbol is no text.
        v2_factory: what knows the pairs of V2.
        v2_router: router of V2.
        v2_pairs: pair of each of these tokens with WETH, by token.
        v3_factory: what knows the pools of V3.
        v3_router: router of V3.
        v3_pool: USDC and WETH.
        v4_manager: the contract that holds all pools of V4.
        v4_swaps: what swaps there.
        v4_pool: id of USDC and WETH.
        borrower: takes flash swaps from a pair.
        token0: lower address of USDC and WETH.
        token1: higher one.
        nonces: how many transactions each account has sent, by address.
        ready: hash of the block that completes it.
    """

    weth: str
    usdc: str
    foo: str
    fee_token: str
    old_token: str
    mute_token: str
    absurd_token: str
    v2_factory: str
    v2_router: str
    v2_pairs: dict[str, str]
    v3_factory: str
    v3_router: str
    v3_pool: str
    v4_manager: str
    v4_swaps: str
    v4_pool: str
    borrower: str
    token0: str
    token1: str
    nonces: dict[str, int]
    ready: str

    @property
    def factories(self) -> tuple[str, str]:
        """Those of V2 and V3."""
        return (self.v2_factory, self.v3_factory)

    @property
    def v4_key(self) -> tuple[str, str, int, int, str]:
        """What V4 knows its pool by."""
        return (self.token0, self.token1, V4_FEE, _V4_SPACING, _NOBODY)


class _Setup:
    """Transactions of the set-up, collected into blocks."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._waiting: list[bytes] = []
        self.nonces = dict.fromkeys(EVERYBODY, 0)

    def create(self, code: bytes) -> str:
        """Create a contract.

        Returns:
            The address it will have.
        """
        nonce = self.nonces[DEPLOYER.address]
        self._send(DEPLOYER, None, code)
        return created_address(DEPLOYER.address, nonce)

    def call(
        self, to: str, signature: str, *arguments: Any, value: int = 0, by: Account = DEPLOYER
    ) -> None:
        """Call a contract."""
        self._send(by, to, call_data(signature, *arguments), value)

    def ask(self, to: str, signature: str, *arguments: Any) -> int:
        """Ask a contract of a block that is there."""
        data = "0x" + call_data(signature, *arguments).hex()
        return int(self._chain.rpc.call("eth_call", {"to": to, "data": data}, "latest"), 16)

    def make_block(self) -> None:
        """Make a block of what waits, and see that none of it failed."""
        hashes = self._chain.grow(self._chain.head, [BlockPlan(tuple(self._waiting))])
        self._waiting.clear()
        receipts = self._chain.rpc.call("eth_getBlockReceipts", hashes[0])
        failed = [at for at, receipt in enumerate(receipts) if receipt["status"] != "0x1"]
        if failed:
            raise RuntimeError(
                f"Expected every transaction of the set-up to succeed, failed: {failed}"
            )

    def _send(self, by: Account, to: str | None, data: bytes, value: int = 0) -> None:
        raw = by.sign(
            chain_id=self._chain.chain_id,
            nonce=self.nonces[by.address],
            to=to,
            data=data,
            value=value,
            gas=_SETUP_GAS,
            gas_price=GAS_PRICE,
        )
        self.nonces[by.address] += 1
        self._waiting.append(raw)


def make_market(chain: DevChain) -> Market:
    """Deploy everything upon the head of a chain whose accounts EVERYBODY have a balance."""
    setup = _Setup(chain)
    tokens = _create_tokens(setup)
    weth, usdc = tokens["weth"], tokens["usdc"]
    v2_factory = setup.create(compiled("v2_factory") + encoded("(address)", (DEPLOYER.address,)))
    both = encoded("(address,address)", (v2_factory, weth))
    v2_router = setup.create(compiled("v2_router") + both)
    v3_factory = setup.create(compiled("v3_factory"))
    both = encoded("(address,address)", (v3_factory, weth))
    v3_router = setup.create(compiled("v3_router") + both)
    both += encoded("address", v3_factory)
    v3_positions = setup.create(compiled("v3_positions") + both)
    v4_manager = setup.create(compiled("v4_manager") + encoded("address", DEPLOYER.address))
    v4_swaps = setup.create(compiled("v4_swaps") + encoded("address", v4_manager))
    v4_liquidity = setup.create(compiled("v4_liquidity") + encoded("address", v4_manager))
    borrower = setup.create(flash_borrower())
    setup.make_block()

    _fund(setup, tokens, borrower)
    spenders = (v2_router, v3_router, v4_swaps)
    for trader in TRADERS:
        for token in tokens.values():
            for spender in spenders if token in {weth, usdc} else spenders[:1]:
                setup.call(token, "approve(address,uint256)", spender, _ALL, by=trader)
    for token in tokens.values():
        for spender in (v2_router, v3_positions, v4_liquidity):
            setup.call(token, "approve(address,uint256)", spender, _ALL)
    _add_v2_liquidity(setup, v2_router, tokens)
    token0, token1 = sorted((weth, usdc))
    _add_v3_liquidity(setup, v3_positions, token0, token1, weth)
    key = (token0, token1, V4_FEE, _V4_SPACING, _NOBODY)
    _add_v4_liquidity(setup, v4_manager, v4_liquidity, key, weth)
    setup.make_block()

    pairs = {
        token: _address(setup.ask(v2_factory, "getPair(address,address)", token, weth))
        for token in tokens.values()
        if token != weth
    }
    pool = setup.ask(v3_factory, "getPool(address,address,uint24)", token0, token1, V3_FEE)
    return Market(
        **tokens,
        v2_factory=v2_factory,
        v2_router=v2_router,
        v2_pairs=pairs,
        v3_factory=v3_factory,
        v3_router=v3_router,
        v3_pool=_address(pool),
        v4_manager=v4_manager,
        v4_swaps=v4_swaps,
        v4_pool="0x" + keccak256(encoded(POOL_KEY, key)).hex(),
        borrower=borrower,
        token0=token0,
        token1=token1,
        nonces=setup.nonces,
        ready=chain.head,
    )


def _create_tokens(setup: _Setup) -> dict[str, str]:
    supply = encoded("uint256", 10 * MILLION * ETHER)
    return {
        "weth": setup.create(compiled("weth")),
        "usdc": setup.create(standard_token("USD Coin", "USDC", 6)),
        "foo": setup.create(standard_token("Foo", "FOO")),
        "fee_token": setup.create(compiled("fee_token") + supply),
        "old_token": setup.create(odd_token(b"OLD".ljust(32, b"\0"), encoded("uint8", 9))),
        "mute_token": setup.create(odd_token(None, None)),
        "absurd_token": setup.create(
            odd_token(encoded("(bytes)", (b"\xff\x00\xfe",)), encoded("uint256", 2**256 - 1))
        ),
    }


def _fund(setup: _Setup, tokens: dict[str, str], borrower: str) -> None:
    """Give everybody enough of everything."""
    weth = tokens["weth"]
    for account in (DEPLOYER, *TRADERS):
        setup.call(weth, "deposit()", value=100_000 * ETHER, by=account)
    setup.call(weth, "transfer(address,uint256)", borrower, 10_000 * ETHER)
    for name in ("usdc", "foo", "old_token", "mute_token", "absurd_token"):
        for owner in (*EVERYBODY, borrower):
            setup.call(tokens[name], "mint(address,uint256)", owner, 10**9 * _unit(name))
    for trader in TRADERS:
        setup.call(
            tokens["fee_token"], "transfer(address,uint256)", trader.address, MILLION * ETHER
        )


def _unit(name: str) -> int:
    return {"usdc": 10**6, "old_token": 10**9}.get(name, ETHER)


def _add_v2_liquidity(setup: _Setup, router: str, tokens: dict[str, str]) -> None:
    depths = {
        "usdc": (500 * 3_000, 500),
        "foo": (MILLION, 200),
        "fee_token": (100_000, 100),
        "old_token": (MILLION, 50),
        "mute_token": (MILLION, 50),
        "absurd_token": (MILLION, 50),
    }
    for name, (amount, ethers) in depths.items():
        setup.call(
            router,
            "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
            tokens[name], tokens["weth"], amount * _unit(name), ethers * ETHER, 0, 0,
            DEPLOYER.address, _FOREVER,
        )  # fmt: skip


def _root_price(token0: str, weth: str) -> int:
    """Square root of the price 3,000 USDC for one WETH, as V3 and V4 write it."""
    usdc_units, weth_units = 3_000 * 10**6, ETHER
    if token0 == weth:
        return isqrt((usdc_units << 192) // weth_units)
    return isqrt((weth_units << 192) // usdc_units)


def _add_v3_liquidity(setup: _Setup, positions: str, token0: str, token1: str, weth: str) -> None:
    setup.call(
        positions,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        token0, token1, V3_FEE, _root_price(token0, weth),
    )  # fmt: skip
    depths = {True: 400 * ETHER, False: 400 * 3_000 * 10**6}
    setup.call(
        positions,
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
        (
            token0, token1, V3_FEE, -_TICK_MAX, _TICK_MAX,
            depths[token0 == weth], depths[token1 == weth], 0, 0, DEPLOYER.address, _FOREVER,
        ),
    )  # fmt: skip


def _add_v4_liquidity(
    setup: _Setup, manager: str, liquidity: str, key: tuple[str, str, int, int, str], weth: str
) -> None:
    setup.call(manager, f"initialize({POOL_KEY},uint160)", key, _root_price(key[0], weth))
    setup.call(
        liquidity,
        f"modifyLiquidity({POOL_KEY},(int24,int24,int256,bytes32),bytes)",
        key, (-_TICK_MAX, _TICK_MAX, 10**16, bytes(32)), b"",
    )  # fmt: skip


def _address(word: int) -> str:
    return f"0x{word:040x}"
