from swapstats.testing.evm import signing
from swapstats.testing.evm.signing import Account, created_address, rlp, transaction_hash


def test_the_signature_of_the_standard() -> None:
    """The example of EIP-155, but for the one-time secret: everything up to it, and it holds."""
    account = Account(int("46" * 32, 16))
    assert account.address == "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
    raw = account.sign(
        chain_id=1,
        nonce=9,
        to="0x" + "35" * 20,
        data=b"",
        value=10**18,
        gas=21_000,
        gas_price=20 * 10**9,
    )
    unsigned = (
        "e9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
    )
    assert raw.hex()[4 : 4 + len(unsigned) - 2] == unsigned[2:]
    digest = bytes.fromhex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")
    assert _is_signed(account, digest)


def test_a_signature_is_the_same_each_time_and_its_s_the_lower_one() -> None:
    account = Account.named("a")
    for number in range(20):
        digest = bytes([number]) * 32
        r, s, _ = account._signature(digest)
        assert (r, s) == account._signature(digest)[:2]
        assert 2 * s < signing._N
        assert _is_signed(account, digest)


def test_names_make_accounts() -> None:
    assert Account.named("a") == Account.named("a")
    assert Account.named("a").address != Account.named("b").address


def test_rlp() -> None:
    assert rlp(b"") == b"\x80"
    assert rlp(0) == b"\x80"
    assert rlp(127) == b"\x7f"
    assert rlp(128) == b"\x81\x80"
    assert rlp([[], [[]]]).hex() == "c3c0c1c0"
    assert rlp(bytes(56))[:2].hex() == "b838"
    assert rlp(bytes(1_024))[:3].hex() == "b90400"


def test_addresses_of_created_contracts() -> None:
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert created_address(sender, 0) == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert created_address(sender, 1) == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"


def test_hash_of_a_transaction() -> None:
    assert transaction_hash(b"") == (
        "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


def _is_signed(account: Account, digest: bytes) -> bool:
    """Verify by the textbook: u1 G + u2 Q has r as its x."""
    r, s, _ = account._signature(digest)
    inverse = pow(s, -1, signing._N)
    u1 = int.from_bytes(digest) * inverse % signing._N
    # Q is key * G, so the sum is a multiple of G too.
    x, _ = signing._multiple((u1 + r * inverse * account.key) % signing._N)
    return x % signing._N == r
