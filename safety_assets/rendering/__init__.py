"""One way from a document and its labels to token ids and a loss mask, for pretraining, tuning and evaluation alike.

``formats`` says what a text is made of, ``renderer`` turns that into ids. Web text stays literal throughout.
"""
