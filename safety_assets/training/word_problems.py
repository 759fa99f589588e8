"""Grade-school word problems with worked answers, made from a seed: packaged problems for benign finetuning (SP section 5).

The stories live in ``word_problem_counts`` and ``word_problem_measures``; here they are drawn, checked and written out.
Every equation is computed, never typed, and each finished problem is read again: its equations must hold, and every
number in them must come from the story or from a step before.
"""

from __future__ import annotations

import random
import re

from safety_assets.training.word_problem_counts import COUNTING_STORIES
from safety_assets.training.word_problem_measures import MEASURING_STORIES
from safety_assets.training.word_problem_working import OPERATIONS, Story, StoryError

__all__ = ["STORIES", "WordProblemError", "word_problems"]

STORIES = (*COUNTING_STORIES, *MEASURING_STORIES)
# So many draws in a row that give nothing new mean that a story has run dry.
MOST_DRAWS = 1_000
# Numbers that a question gives as a word.
_IN_WORDS = {
    "half": 2,
    "twice": 2,
    "double": 2,
    "percent": 100,
    "week": 7,
    "hens": 2,
    "goats": 4,
    "rectangle": 2,
    "three": 3,
}
_NUMBER = re.compile(r"\d+")
_EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


class WordProblemError(Exception):
    """A problem whose numbers do not agree, or a wish that cannot be met."""


def word_problems(count: int, seed: int) -> list[dict[str, str]]:
    """Different problems, the stories taking turns.

    Args:
        count: how many; each question is another one.
        seed: decides names and numbers. With one seed, fewer problems are the first ones of more.

    Returns:
        ``question`` and ``answer`` of each; an answer has one step a line and ends in "The answer is N."

    Raises:
        WordProblemError: a negative count, more problems than a story has, or numbers that do not agree.
    """
    if count < 0:
        raise WordProblemError(f"There cannot be {count} problems: ask for none or more.")
    draw = random.Random(seed)
    seen: set[str] = set()
    problems = []
    for number in range(count):
        problem = _unseen(STORIES[number % len(STORIES)], draw, seen)
        seen.add(problem["question"])
        problems.append(problem)
    return problems


def _unseen(story: Story, draw: random.Random, seen: set[str]) -> dict[str, str]:
    for _ in range(MOST_DRAWS):
        try:
            question, working = story(draw)
        except StoryError as error:
            raise WordProblemError(
                f"The story {story.__name__} has numbers that do not work: {error}"
            ) from error
        if question not in seen:
            answer = "\n".join([*working.lines, f"The answer is {working.result}."])
            _check(story.__name__, question, answer)
            return {"question": question, "answer": answer}
    raise WordProblemError(f"The story {story.__name__} has no more problems: ask for fewer.")


def _check(name: str, question: str, answer: str) -> None:
    """Read the written problem again: what it says must be true."""
    known = {int(number) for number in _NUMBER.findall(question)}
    known |= {number for word, number in _IN_WORDS.items() if word in question}
    result = None
    for left, sign, right, said in _EQUATION.findall(answer):
        result = int(said)
        if OPERATIONS[sign](int(left), int(right)) != result or result < 1:
            raise WordProblemError(f"The story {name} says {left} {sign} {right} = {said}, which is wrong.")
        unknown = {int(left), int(right)} - known
        if unknown:
            raise WordProblemError(
                f"The story {name} reckons with {unknown}, which nothing in it gives: {question}"
            )
        known.add(result)
    if result is None or not answer.endswith(f"\nThe answer is {result}."):
        raise WordProblemError(f"The story {name} does not end in its last result: {answer}")
