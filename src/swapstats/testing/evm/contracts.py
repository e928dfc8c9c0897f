"""Code of the test market's contracts: Uniswap's and OpenZeppelin's own, and some odd ones."""

import json
from functools import cache
from typing import Final

from swapstats.stack.evm_packages import evm_packages
from swapstats.testing.evm.abi import encoded
from swapstats.testing.evm.assembly import answer, assemble, creation
from swapstats.testing.evm.keccak import selector, topic

_V3_CORE: Final = "@uniswap/v3-core/artifacts/contracts"
_V3_PERIPHERY: Final = "@uniswap/v3-periphery/artifacts/contracts"
_ARTIFACTS: Final = {
    "token": "@openzeppelin/contracts/build/contracts/ERC20PresetMinterPauser.json",
    "weth": "@uniswap/v2-periphery/build/WETH9.json",
    "fee_token": "@uniswap/v2-periphery/build/DeflatingERC20.json",
    "v2_factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "v2_router": "@uniswap/v2-periphery/build/UniswapV2Router02.json",
    "v3_factory": f"{_V3_CORE}/UniswapV3Factory.sol/UniswapV3Factory.json",
    "v3_router": f"{_V3_PERIPHERY}/SwapRouter.sol/SwapRouter.json",
    "v3_positions": (
        f"{_V3_PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
    ),
    "v4_manager": "@uniswap/v4-core/out/PoolManager.sol/PoolManager.json",
    "v4_swaps": "@uniswap/v4-core/out/PoolSwapTest.sol/PoolSwapTest.json",
    "v4_liquidity": "@uniswap/v4-core/out/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json",
}
_PUSH_18: Final = b"\x60\x12"
"""Where OpenZeppelin's constructor sets 18 decimals: once in its creation code."""


@cache
def compiled(name: str) -> bytes:
    """Creation code of a contract of _ARTIFACTS, without constructor arguments.

    Raises:
        UsageError: the packages can neither be found nor fetched.
    """
    artifact = json.loads((evm_packages() / _ARTIFACTS[name]).read_text(encoding="utf-8"))
    code = artifact["bytecode"]
    return bytes.fromhex((code["object"] if isinstance(code, dict) else code).removeprefix("0x"))


def standard_token(name: str, symbol: str, decimals: int = 18) -> bytes:
    """Creation code of OpenZeppelin's ERC-20, with other decimals than its 18 if asked for."""
    code = compiled("token")
    at = code.index(_PUSH_18)
    code = code[:at] + bytes([_PUSH_18[0], decimals]) + code[at + 2 :]
    return code + encoded("(string,string)", (name, symbol))


def odd_token(symbol: bytes | None, decimals: bytes | None) -> bytes:
    """Creation code of a token that moves as it should and describes itself as it likes.

    Anyone may mint, and move anyone's: there are no allowances.

    Args:
        symbol: the very bytes that `symbol()` and `name()` answer; None = the call fails.
        decimals: the very bytes that `decimals()` answers; None = the call fails.
    """
    cases = {
        "balanceOf(address)": "balance",
        "transfer(address,uint256)": "transfer",
        "transferFrom(address,address,uint256)": "from",
        "approve(address,uint256)": "true",
        "mint(address,uint256)": "mint",
        "symbol()": "symbol",
        "name()": "symbol",
        "decimals()": "decimals",
    }
    program = f"""
        0 calldataload 0xe0 shr {_branches(cases)}
        fail: 0 0 revert
        balance: 4 calldataload sload 0 mstore 32 0 return
        transfer: caller 4 calldataload 36 calldataload @move jump
        from: 4 calldataload 36 calldataload 68 calldataload
        move: dup3 sload dup2 dup2 lt @fail jumpi
            dup2 swap1 sub dup4 sstore
            dup2 sload dup2 add dup3 sstore
            0 mstore swap1 {topic("Transfer(address,address,uint256)")} 32 0 log3
        true: 1 0 mstore 32 0 return
        mint: 4 calldataload 36 calldataload dup2 sload dup2 add dup3 sstore @true jump
        symbol: {answer(symbol)}
        decimals: {answer(decimals)}
    """
    return creation(assemble(program))


def flash_borrower() -> bytes:
    """Creation code of a contract with `flash(address pair, uint256 amount0, uint256 amount1)`.

    It takes both amounts out of a V2 pair and pays both back with a fiftieth more, of its own
    tokens, in the same swap.
    """
    cases = {
        "flash(address,uint256,uint256)": "flash",
        "uniswapV2Call(address,uint256,uint256,bytes)": "called",
    }
    swap = selector("swap(uint256,uint256,address,bytes)").hex()
    program = f"""
        0 calldataload 0xe0 shr {_branches(cases)}
        fail: 0 0 revert
        flash: 0x{swap} 0xe0 shl 0 mstore 36 calldataload 4 mstore 68 calldataload 36 mstore
            address 68 mstore 128 100 mstore 1 132 mstore 0 164 mstore
            0 0 196 0 0 4 calldataload gas call iszero @fail jumpi stop
        called: {_paid_back("token0()", 36)} {_paid_back("token1()", 68)} stop
    """
    return creation(assemble(program))


def _paid_back(token: str, argument: int) -> str:
    """Ask the calling pair for its token, and transfer it the amount borrowed and a fiftieth."""
    transfer = selector("transfer(address,uint256)").hex()
    return f"""
        0x{selector(token).hex()} 0xe0 shl 0 mstore 32 0 4 0 caller gas staticcall pop 0 mload
        0x{transfer} 0xe0 shl 0 mstore caller 4 mstore
        {argument} calldataload dup1 50 swap1 div add 36 mstore
        0 0 68 0 0 dup6 gas call pop pop
    """


def _branches(cases: dict[str, str]) -> str:
    """Jump by the selector on top of the stack."""
    return " ".join(
        f"dup1 0x{selector(signature).hex()} eq @{place} jumpi"
        for signature, place in cases.items()
    )
