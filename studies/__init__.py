"""The TOML files of studies; ``demo.toml`` is the one that runs when none is named."""
