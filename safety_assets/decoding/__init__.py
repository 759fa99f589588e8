"""Decoding: greedy, top-k, beam search and Safe Beam Search (SP section 4.1) behind one function.

Token ids in, token ids out. How a prompt is rendered and what an answer means is not known here.
"""
