"""The secret that keys every fingerprint, and its public name."""

import hashlib
from dataclasses import dataclass

import numpy as np

from swapstats.errors import KeyMismatch

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class HashKey:
    """One secret per cluster.

    Attributes:
        k0: first word of the SipHash key.
        k1: second word.
        key_id: name of the key, safe to show: it does not give the key away.
    """

    k0: np.uint64
    k1: np.uint64
    key_id: str

    @staticmethod
    def of(secret: bytes) -> "HashKey":
        """Make a key from its 16 secret bytes.

        Raises:
            KeyMismatch: not 16 bytes.
        """
        if len(secret) != KEY_BYTES:
            raise KeyMismatch(
                f"Expected a hash key of {KEY_BYTES} bytes, was {len(secret)}: restore the key file"
            )
        words = np.frombuffer(secret, dtype="<u8")
        return HashKey(words[0], words[1], hashlib.sha256(secret).hexdigest()[:16])
