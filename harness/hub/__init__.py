"""Modules: fixed functions from images, or from waveforms, to feature vectors."""

from harness.hub.base import HubModule, ModuleInfo
from harness.hub.kinds import describe, load

__all__ = ["HubModule", "ModuleInfo", "describe", "load"]
