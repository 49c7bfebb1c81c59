"""Plugins of Hydra, which looks for them here: how the jobs of a sweep are chosen and run."""
