"""The TOML files of studies; ``demo.toml`` is the one that runs when none is named.

- `plan`: what is known of a study before its first image is drawn
"""
