"""SipHash against the vectors of its authors, and SipHash-1-3 against Python's own."""

import subprocess
import sys

import numpy as np
from tests.core.kernels.twins import agree

from swapstats.core.kernels import siphash as compiled
from swapstats.core.kernels.reference.siphash import hash_bytes, hash_content, siphash

# The first 16 of `vectors_sip64` in the authors' reference code: key 00..0f, message 00..(n-1).
SIPHASH_2_4 = """
    310e0edd47db6f72 fd67dc93c539f874 5a4fa9d909806c0d 2d7efbd796666785
    b7877127e09427cf 8da699cd64557618 cee3fe586e46c9cb 37d1018bf50002ab
    6224939a79f5f593 b0e4a90bdf82009e f3b9dd94c5bb5d7a a7ad6b22462fb3f4
    fbe50e86bc8f1e75 903d84c02756ea14 eef27a8e90ca23f7 e545be4961ca29a1
"""
K0, K1 = np.frombuffer(bytes(range(16)), dtype="<u8")


def test_siphash_2_4_gives_the_vectors_of_its_authors() -> None:
    for count, vector in enumerate(SIPHASH_2_4.split()):
        code = siphash(bytes(range(count)), int(K0), int(K1), 2, 4)
        assert code.to_bytes(8, "little").hex() == vector, count


def test_siphash_1_3_is_what_python_hashes_bytes_by() -> None:
    texts = [bytes(range(200, 200 + count)) for count in range(1, 40)]
    program = f"import sys; print(sys.hash_info.algorithm, *map(hash, {texts!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "0"},  # both words of the key are 0 then
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert answer[0] == "siphash13"
    for text, code in zip(texts, answer[1:], strict=True):
        assert siphash(text, 0, 0, 1, 3) == int(code) % (1 << 64), text


def test_what_is_hashed_is_prefixed_padded_and_suffixed() -> None:
    data = np.frombuffer(b"..abc..", dtype=np.uint8)
    text = bytes([3, 0, 0, 0, 0, 0, 0, 0]) + b"abc" + bytes(5)
    key = (int(K0), int(K1), 1, 3)
    assert int(hash_bytes(data, 2, 3, np.uint64(9), False, K0, K1)) == siphash(text, *key)
    suffixed = text + bytes([9, 0, 0, 0, 0, 0, 0, 0])
    assert int(hash_bytes(data, 2, 3, np.uint64(9), True, K0, K1)) == siphash(suffixed, *key)


def test_a_content_is_six_words() -> None:
    words = (1, 2, 3, 4, 5, (1 << 64) - 1)
    text = b"".join(word.to_bytes(8, "little") for word in words)
    code = agree(compiled.hash_content, hash_content, *map(np.uint64, words), K0, K1)
    assert int(code) == siphash(text, int(K0), int(K1), 1, 3)
