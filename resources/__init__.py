"""Adapters to the outside world: the lake, shard sources, language models, encoders, profiles.

Nothing here knows what safety pretraining is; nothing here imports ``safety_assets``.
"""
