"""The preprocessor's rules, as the settings want them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from swapstats.core.preprocess.rules import MICROS, PriceRules
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS, ChainTokens
from swapstats.errors import Rejected, SettingsError
from swapstats.ports.source import Source
from swapstats.settings import Settings


def price_rules(settings: Settings) -> PriceRules:
    """Make the rules.

    Raises:
        SettingsError: a token list that cannot be read, or a value the rules refuse.
    """
    given = settings.preprocess
    try:
        return PriceRules(
            chains=_chains(settings),
            liquidity_floor_micros=given.liquidity_floor_usd * MICROS,
            dust_micros=round(given.dust_usd * MICROS),
            depeg_bps=given.depeg_bps,
            deny=frozenset(_lower_address(text) for text in given.deny),
            observation_ms=given.observation_ms,
            rate_ms=given.rate_ms,
            horizon_ms=given.horizon_ms,
            horizon_blocks=given.horizon_blocks,
            wash_window_ms=given.wash_window_ms,
            max_ahead_ms=settings.app.max_ahead_ms,
        )
    except SettingsError:
        raise
    except Rejected as error:
        raise SettingsError(f"preprocess: {error}") from error


def expect_tokens(settings: Settings, sources: Iterable[Source]) -> None:
    """Check that every chain that is collected has tokens to tell prices in.

    Raises:
        SettingsError: one has none: each of its swaps would become a dead letter.
    """
    known = price_rules(settings).chains
    for source in sources:
        kind, _, name = source.name.partition(":")
        chain_id = settings.source.evm.chains.get(name, "") if kind == "evm" else ""
        if chain_id and int(chain_id) not in known:
            raise SettingsError(
                f"Expected tokens of chain {chain_id} ({name}) to tell prices in, was none: give "
                f"its stables or its wrapped coin, such as --set "
                f"'preprocess.stables={{{chain_id}: 0x...}}'"
            )


def _chains(settings: Settings) -> Mapping[int, ChainTokens]:
    """The known chains, with the tokens that were added to them and the chains that were added."""
    given = settings.preprocess
    chains = dict(DEFAULT_CHAINS)
    lists = {
        "stables": given.stables,
        "natives": given.natives,
        "quotes": given.quotes,
        "exchange_assets": given.exchange_assets,
    }
    for name, by_chain in lists.items():
        for text, tokens in by_chain.items():
            chain_id = _chain_id(settings, name, text)
            known = chains.get(chain_id, ChainTokens())
            chains[chain_id] = _with(known, name, tokens.lower().split(), tokens.split())
    return MappingProxyType(chains)


def _with(known: ChainTokens, name: str, lower: list[str], written: list[str]) -> ChainTokens:
    stables, natives, others = known.stables, known.natives, known.others
    assets = dict(known.exchange_assets)
    if name == "stables":
        stables = tuple(dict.fromkeys((*stables, *lower)))
    elif name == "natives":
        natives = tuple(dict.fromkeys((*natives, *lower)))
    elif name == "quotes":
        others = tuple(dict.fromkeys((*others, *lower)))
    else:
        for text in written:
            token, colon, asset = text.partition(":")
            if not colon or not asset:
                raise SettingsError(
                    f"preprocess.exchange_assets: Expected TOKEN:ASSET such as 0xc02a...:ETH, was "
                    f"{text!r}"
                )
            assets[token.lower()] = asset
    return ChainTokens(
        stables=stables, natives=natives, others=others, exchange_assets=MappingProxyType(assets)
    )


def _lower_address(text: str) -> str:
    """Write an address as chains' events do; assets and markets of exchanges keep their case."""
    place, colon, name = text.partition(":")
    return f"{place}:{name.lower()}" if colon and name.lower().startswith("0x") else text


def _chain_id(settings: Settings, name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        dotted = f"preprocess.{name}"
        raise SettingsError(
            f"{dotted} ({settings.origin_of(dotted)}): Expected chain ids such as 1 or 8453, was "
            f"{text!r}"
        )
    return int(text)
