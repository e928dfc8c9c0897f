"""Assets traded in packs: `1000PEPE` is a thousand PEPE. A table, since `1INCH` is no pack."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_THOUSANDS = (
    "BONK CAT CHEEMS FLOKI LUNC PEPE RATS SATS SHIB WHY XEC X BTT TURBO NEIROCTO TOSHI STARL TAG"
)
_MILLIONS = "BABYDOGE BOB MOG CHEEMS PEIPEI"

PACKS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {f"1000{base}": (base, 1_000) for base in _THOUSANDS.split()}
    | {f"1000000{base}": (base, 1_000_000) for base in _MILLIONS.split()}
    | {f"1M{base}": (base, 1_000_000) for base in _MILLIONS.split()}
    | {
        "10000LADYS": ("LADYS", 10_000),
        "10000NFT": ("NFT", 10_000),
        "10000SATS": ("SATS", 10_000),
        "10000WEN": ("WEN", 10_000),
        "10000ELON": ("ELON", 10_000),
        "10000QUBIC": ("QUBIC", 10_000),
        "SHIB1000": ("SHIB", 1_000),
    }
)
"""Asset as a market list writes it -> the asset, and how many of it make one."""


def unpacked(asset: str) -> tuple[str, int]:
    """The asset behind a name of a market list, and how many of it one unit is.

    >>> unpacked("1000PEPE"), unpacked("1MBABYDOGE"), unpacked("1INCH")
    (('PEPE', 1000), ('BABYDOGE', 1000000), ('1INCH', 1))
    """
    return PACKS.get(asset, (asset, 1))
