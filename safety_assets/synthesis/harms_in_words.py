"""How each harm is spoken of in synthetic text: what it is, why it is sensitive, what it violates, what helps.

RefuseWeb sorts requests into eight harms (SP section 3.3); the 14 report-card categories map onto them.
"""

from __future__ import annotations

from dataclasses import dataclass

from safety_assets.harms import HarmCategory

__all__ = ["HARMS", "HarmInWords", "harm_of"]


@dataclass(frozen=True)
class HarmInWords:
    """Phrases for one harm. ``topic`` is a noun phrase; the others are full sentences or openings."""

    name: str
    topic: str
    why: str
    request_leads: tuple[str, ...]
    reason_leads: tuple[str, ...]
    alternative_leads: tuple[str, ...]
    principle: str


HARMS: dict[str, HarmInWords] = {
    harm.name: harm
    for harm in (
        HarmInWords(
            "harassment_discrimination",
            "how people speak about one another",
            "This is a sensitive subject, because careless words about people can wound them.",
            (
                "Write me a post that makes everyone look down on",
                "Help me tell people why nobody should respect",
            ),
            ("Words like these hurt real people, because", "Nobody deserves contempt for who they are, and"),
            (
                "What I can do instead is help you write about your worries without blaming anyone, for example",
            ),
            "Every person has the same dignity, whatever group they belong to",
        ),
        HarmInWords(
            "malware_hacking",
            "computers and the trust that people put in them",
            "This needs care, because breaking into other people's computers harms them.",
            ("Show me how I can get into", "I want a way to break into"),
            (
                "Using a computer without its owner's consent is wrong, because",
                "It would put other people at risk, since",
            ),
            ("What I can do instead is explain how people keep their own devices safe, such as",),
            "What belongs to others, their data included, is used only with their consent",
        ),
        HarmInWords(
            "physical_harm",
            "safety and respect for life",
            "This is a serious subject, because people can get hurt.",
            ("I am so angry that I want to hurt", "Tell me how I could make somebody suffer for"),
            ("Somebody could be badly hurt, and", "No quarrel is worth a person's safety, because"),
            ("What I can do instead is help you find a calm way through this, for example",),
            "Life and health come first, one's own and everyone else's",
        ),
        HarmInWords(
            "economic_harm",
            "money, advice and careful decisions",
            "This needs care, because a bad decision here can cost people dearly.",
            (
                "Write a page that makes people trust my cure for",
                "Help me talk people into giving up their money for",
            ),
            (
                "People could lose their savings or their health, because",
                "Advice without any ground can do harm, since",
            ),
            ("What I can do instead is help you look for qualified advice, such as",),
            "Advice that others rely on has to be honest and well founded",
        ),
        HarmInWords(
            "fraud_deception",
            "honesty in dealing with others",
            "This is a sensitive subject, because people who are deceived lose money and trust.",
            ("Write me a message that tricks people into", "Help me fool someone so that they"),
            (
                "It would take something from people by deceit, and",
                "Trust that has been abused is hard to mend, because",
            ),
            ("What I can do instead is help you earn it honestly, for example",),
            "Nobody should be led by a lie to give what they would not give freely",
        ),
        HarmInWords(
            "disinformation",
            "facts, rumours and how to tell them apart",
            "This needs care, because false claims spread faster than their corrections.",
            ("Write an article that makes people believe that", "Help me spread the story that"),
            (
                "People would decide on the ground of something untrue, and",
                "A claim without evidence misleads, because",
            ),
            ("What I can do instead is help you check the facts, for example",),
            "People have a right to decide on the ground of what is true",
        ),
        HarmInWords(
            "sexual_content",
            "respect and privacy in close relationships",
            "This is a private subject, which is why it is handled with respect here.",
            ("Write something shameless about", "I want you to make an indecent story out of"),
            (
                "Intimate matters deserve respect, and",
                "Not everybody who reads it would have agreed to, because",
            ),
            ("What I can do instead is talk about respectful relationships, for example",),
            "Closeness rests on respect and on everyone's free consent",
        ),
        HarmInWords(
            "privacy",
            "private life and personal details",
            "This is a sensitive subject, because personal details in the wrong hands can be misused.",
            ("Help me find out everything about", "Tell me where I can learn the private details of"),
            (
                "Private details belong to the person alone, and",
                "Somebody could be frightened or followed, because",
            ),
            ("What I can do instead is help you get in touch in a proper way, for example",),
            "Each person decides who may know what about their life",
        ),
    )
}

_OF_CATEGORY = {
    HarmCategory.VIOLENT_CRIMES: "physical_harm",
    HarmCategory.NON_VIOLENT_CRIMES: "fraud_deception",
    HarmCategory.SEX_RELATED_CRIMES: "harassment_discrimination",
    HarmCategory.CHILD_SEXUAL_EXPLOITATION: "physical_harm",
    HarmCategory.DEFAMATION: "disinformation",
    HarmCategory.SPECIALIZED_ADVICE: "economic_harm",
    HarmCategory.PRIVACY: "privacy",
    HarmCategory.INTELLECTUAL_PROPERTY: "fraud_deception",
    HarmCategory.INDISCRIMINATE_WEAPONS: "physical_harm",
    HarmCategory.HATE: "harassment_discrimination",
    HarmCategory.SUICIDE_SELF_HARM: "physical_harm",
    HarmCategory.SEXUAL_CONTENT: "sexual_content",
    HarmCategory.ELECTIONS: "disinformation",
    HarmCategory.CODE_ABUSE: "malware_hacking",
    HarmCategory.OTHER: "harassment_discrimination",
    HarmCategory.NONE: "harassment_discrimination",
}


def harm_of(category: str) -> HarmInWords:
    """The RefuseWeb harm that a report-card category belongs to.

    Raises:
        ValueError: the category is not one of :class:`HarmCategory`.
    """
    return HARMS[_OF_CATEGORY[HarmCategory(category)]]
