"""Exact real-time statistics per token from DEX swaps and exchange trades."""

__version__ = "0.1.0"
