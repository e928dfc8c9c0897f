"""Compiled numeric kernels: free functions of arrays and scalars, without the GIL.

Each that other code calls has a plain twin of the same name and signature in `reference`, and the
tests hold the two against each other (`texts` and `fields` are parts of `scan`, `limbs` and
`log_texts` of `log_scan`).
"""
