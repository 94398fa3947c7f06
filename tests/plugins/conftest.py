"""The plugins are loaded by tests, never collected."""

collect_ignore_glob = ["birdtools/*", "plugin_*.py"]
