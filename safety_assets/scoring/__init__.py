"""Safety scores 0-5: the embedding classifier, the language-model scorer, their maximum, the second judgement."""
