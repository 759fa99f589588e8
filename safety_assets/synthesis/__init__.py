"""Synthetic training data: SafeWeb retellings, RefuseWeb dialogues, Moral Education articles.

Reads scored documents, writes accepted texts with their states; trains nothing and scores nothing itself.
"""
