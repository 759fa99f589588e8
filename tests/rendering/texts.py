"""Texts for the laws of rendering."""

from __future__ import annotations

from hypothesis import strategies as st

from safety_assets.rendering.tokenizer import TOKENS

__all__ = ["any_text", "spelled", "written"]

# Everything that Python can encode.
any_text = st.text()
# SmolLM2's vocabulary lacks the bytes of six control characters and of unassigned planes.
written = st.text(
    alphabet=st.characters(
        exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\x04\x06\x13\x14\x16\x1d"
    )
)
# Text in which control tokens, and their names here, are spelled out, whole and broken.
spelled = st.lists(
    st.sampled_from(
        [*TOKENS.values(), *TOKENS, "<|", "im_end|>", "potentially_unsafe_content>", "\n", " a", "7"]
    )
).map("".join)
