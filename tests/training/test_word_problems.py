"""Word problems: true equations, numbers that come from the story, and the same problems from the same seed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.training import word_problems as module
from safety_assets.training.chat_data import load_problems
from safety_assets.training.word_problem_working import StoryError, Working
from safety_assets.training.word_problems import STORIES, WordProblemError, word_problems

EQUATION = re.compile(r"([\d+*/ -]+\d) = (\d+)")


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def shape(question):
    """The sentences without what is drawn: numbers, names and things go."""
    return " ".join(word for word in re.sub(r"\d+", "#", question).split() if word.islower() or word == "#")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_every_equation_is_true_and_the_last_one_gives_the_answer(seed, count):
    for problem in word_problems(count, seed):
        *steps, last = problem["answer"].split("\n")
        results = []
        for step in steps:
            ((left, result),) = EQUATION.findall(step)
            assert eval(left, {"__builtins__": {}}) == int(result) >= 1
            results.append(int(result))
        assert last == f"The answer is {results[-1]}."


def test_the_answers_agree_with_reckoning_straight_from_the_question():
    """Another way through three of the stories, from the numbers of the question alone."""
    checked = 0
    for problem in word_problems(30 * len(STORIES), 5):
        given, answer = numbers(problem["question"]), numbers(problem["answer"])[-1]
        match problem["question"]:
            case question if "hens" in question:
                hens, goats, new = given
                assert answer == 2 * hens + 4 * (goats + new)
            case question if "barrel" in question:
                full, inside, run_in, leak = given
                assert inside + answer * (run_in - leak) == full
            case question if "half" in question:
                pile, lost, found = given
                assert 2 * (answer - found + lost) == pile
            case _:
                continue
        checked += 1
    assert checked == 90


def test_the_stories_take_turns_and_there_are_many_of_them():
    problems = word_problems(len(STORIES), 3)
    assert len(STORIES) >= 12
    assert len({shape(problem["question"]) for problem in problems}) == len(STORIES)


@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 40))
def test_fewer_problems_are_the_first_ones_of_more(seed, few, more):
    assert word_problems(few + more, seed)[:few] == word_problems(few, seed)


def test_another_seed_gives_other_problems():
    assert word_problems(40, 1) != word_problems(40, 2)


def test_no_question_comes_twice():
    questions = [problem["question"] for problem in word_problems(5_000, 11)]
    assert len(set(questions)) == len(questions)


def test_the_texts_are_short_and_every_brace_is_filled():
    for problem in word_problems(200, 9):
        assert 15 <= len(problem["question"].split()) <= 60
        assert problem["question"].endswith("?")
        assert not set("{}<>|") & set(problem["question"] + problem["answer"])


def test_the_packaged_problems_are_read_as_chats(tmp_path):
    problems = load_problems(["packaged"], cache=tmp_path)
    assert len(problems) == 240
    assert {problem.kind for problem in problems} == {"helpful"}


@pytest.mark.parametrize(("left", "sign", "right"), [(7, "/", 2), (3, "-", 5), (4, "-", 4)])
def test_a_step_without_a_whole_number_of_at_least_one_is_no_step(left, sign, right):
    with pytest.raises(StoryError, match=re.escape(f"{left} {sign} {right}")):
        Working().step("That is {}.", left, sign, right)


def tell(monkeypatch, question, *steps):
    def story(draw):
        work = Working()
        for step in steps:
            work.step("{}.", *step)
        return question, work

    monkeypatch.setattr(module, "STORIES", (story,))


@pytest.mark.parametrize(
    ("steps", "message"),
    [([(8, "+", 9)], "reckons with"), ([(8, "/", 3)], "do not work"), ([], "last result")],
)
def test_a_story_whose_numbers_do_not_agree_is_not_told(monkeypatch, steps, message):
    tell(monkeypatch, "Wren has 8 figs and 3 bowls. How many?", *steps)
    with pytest.raises(WordProblemError, match=message):
        word_problems(1, 0)


def test_a_story_that_runs_dry_says_so(monkeypatch):
    tell(monkeypatch, "Wren has 8 figs and 3 pears. How many?", (8, "+", 3))
    assert len(word_problems(1, 0)) == 1
    with pytest.raises(WordProblemError, match="ask for fewer"):
        word_problems(2, 0)


def test_there_are_no_fewer_problems_than_none():
    assert word_problems(0, 0) == []
    with pytest.raises(WordProblemError, match="none or more"):
        word_problems(-1, 0)
