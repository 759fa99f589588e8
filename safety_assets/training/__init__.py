"""Training: LitGPT models on the mixture's windows, then tuning on chats, then finetuning on harmless problems.

One training loop serves all three. What a text looks like to the model is decided in ``rendering``.
"""
