"""The styles a document can be retold in (SP section 3.2): structure by code, words by the model.

A style gives the model its role, and gives the text an opening, a way into each passage and a constructive close.
One style is drawn per document by a seeded hash of its id, so a draw never depends on sharding or order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["STYLES", "Style", "draw", "style_of"]

Choice = TypeVar("Choice")

# Part of every draw; another seed gives another, equally reproducible corpus.
SEED = "safeweb-1"


@dataclass(frozen=True)
class Style:
    """How one kind of retelling sounds.

    ``opening`` and ``closing`` stand around the whole text, ``{topic}`` and ``{why}`` filled in by code.
    ``leads`` begin the answer to each passage, with ``{terms}`` filled in where the model needs steering.
    """

    name: str
    role: str
    task: str
    opening: str
    leads: tuple[str, ...]
    closing: str


STYLES: tuple[Style, ...] = (
    Style(
        "podcast",
        "You host a calm educational podcast for families.",
        "Retell the page's next part to your listeners in two or three friendly sentences.",
        "Welcome back to the show. Today's page is about {topic}. {why}",
        (
            "Listeners, the part about {terms} tells us that",
            "When the page turns to {terms}, it explains that",
        ),
        "Thank you for listening. Until next time, talk it over with somebody you trust.",
    ),
    Style(
        "textbook",
        "You write clear textbook chapters.",
        "Explain the page's next part to pupils in two or three plain sentences.",
        "This chapter looks at {topic}. {why}",
        ("The section on {terms} shows that", "With regard to {terms}, it is useful to know that"),
        "To sum up: weighing facts calmly helps everyone to make better choices.",
    ),
    Style(
        "teacher_script",
        "You are a patient teacher who speaks to a class.",
        "Go through the page's next part with the class in two or three short sentences.",
        "Good morning, everyone. Our reading today is about {topic}. {why}",
        ("Now, class, the lines about {terms} mean that", "Look at the words {terms}: here we learn that"),
        "For tomorrow, write down one thing that you would do differently, and why.",
    ),
    Style(
        "stage_talk",
        "You give hopeful talks on a stage.",
        "Share the idea in the page's next part in two or three clear sentences.",
        "Let me begin with a page that I read about {topic}. {why}",
        ("Think for a moment about {terms}: the idea is that", "What struck me about {terms} is that"),
        "If you take one thing home, let it be this: understanding comes before judging.",
    ),
    Style(
        "parent_and_child",
        "You are a kind parent who explains things to a child.",
        "Explain the page's next part to your child in two or three gentle sentences.",
        '"What are you reading?" the child asked. "It is about {topic}," said the parent. "{why}"',
        ('"And what about {terms}?" The parent explained that', "Coming to {terms}, the parent said that"),
        '"I am glad I asked," said the child. "You can always ask," said the parent.',
    ),
    Style(
        "two_friends",
        "You are one of two friends who talk things through.",
        "Tell your friend about the page's next part in two or three warm sentences.",
        "Two friends met for a walk and talked about {topic}. {why}",
        ("One friend spoke of {terms} and said that", "About {terms}, the other friend found that"),
        "They agreed that it was good to have talked, and went home in better spirits.",
    ),
    Style(
        "childrens_video",
        "You narrate friendly videos for children.",
        "Tell the children about the page's next part in two or three simple sentences.",
        "Hello, friends! Today we find out something about {topic}. {why}",
        ("Do you know about {terms}? It means that", "Our next stop is {terms}! We learn that"),
        "That was a lot to learn. Be kind to one another, and see you next time!",
    ),
    Style(
        "encyclopedia",
        "You write neutral encyclopedia entries.",
        "Describe the page's next part in two or three neutral sentences.",
        "The subject of this entry is {topic}. {why}",
        ("In connection with {terms}, it is noted that", "On the matter of {terms}, the account says that"),
        "Readers who want to know more will find help in a library or from a qualified adviser.",
    ),
    Style(
        "advice_column",
        "You answer readers' letters with tact.",
        "Comment on the page's next part in two or three considerate sentences.",
        "A reader wrote to us about {topic}. {why}",
        ("As for {terms}, it helps to remember that", "The letter's lines on {terms} suggest that"),
        "Dear reader, small respectful steps go a long way.",
    ),
    Style(
        "museum_guide",
        "You guide visitors through an exhibition on everyday life.",
        "Describe the page's next part to the visitors in two or three vivid but gentle sentences.",
        "Welcome to the exhibition. This panel is about {topic}. {why}",
        ("The label beside {terms} tells visitors that", "Next to {terms} one can read that"),
        "Please take your time, and leave a thought in the visitors' book.",
    ),
    Style(
        "news_explainer",
        "You write short news explainers.",
        "Explain the page's next part in two or three factual sentences.",
        "Explained: {topic}. {why}",
        ("What is known about {terms} is that", "Regarding {terms}, the report says that"),
        "What happens next depends on people who listen to each other and check their facts.",
    ),
    Style(
        "study_group",
        "You lead a study group of adults.",
        "Sum up the page's next part for the group in two or three thoughtful sentences.",
        "Our group read a page about {topic}. {why}",
        ("The group discussed {terms} and noted that", "On {terms}, one member pointed out that"),
        "We closed by asking what each of us could do to help.",
    ),
)


def draw(options: Sequence[Choice], *keys: str) -> Choice:
    """One of ``options`` by a seeded hash of ``keys``: the same wherever and whenever it is drawn."""
    digest = hashlib.sha256("\x1f".join((SEED, *keys)).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def style_of(document_id: str) -> Style:
    """The style of a document (SP section 3.2: one at random per document)."""
    return draw(STYLES, "style", document_id)
