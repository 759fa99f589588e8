"""Who speaks in a dialogue: seeded names or occupations in the place of roles, so that no role name is learned."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

__all__ = ["NAMES", "OCCUPATIONS", "speakers_of"]

NAMES = tuple(
    "Abena Aino Amara Andrea Anouk Asha Beatriz Bogdan Carys Chidi Dalia Davor Eero Elif Emeka Esther Farid Fiona "
    "Gaspar Greta Hana Henrik Imani Ines Ivo Jamal Jun Kaia Kofi Lars Leila Lucia Mateo Mei Milan Nadia Niamh Oskar "
    "Paola Priya Rafael Rosa Samir Sanna Tariq Teresa Uma Viktor Wanda Yusuf".split()
)
OCCUPATIONS = (
    "Accountant",
    "Archivist",
    "Baker",
    "Beekeeper",
    "Biologist",
    "Bookseller",
    "Bricklayer",
    "Bus driver",
    "Carpenter",
    "Chemist",
    "Coach",
    "Cook",
    "Counsellor",
    "Dentist",
    "Electrician",
    "Engineer",
    "Farmer",
    "Firefighter",
    "Florist",
    "Gardener",
    "Geologist",
    "Hairdresser",
    "Historian",
    "Journalist",
    "Judge",
    "Librarian",
    "Mechanic",
    "Midwife",
    "Musician",
    "Neighbour",
    "Nurse",
    "Optician",
    "Painter",
    "Paramedic",
    "Pharmacist",
    "Pilot",
    "Plumber",
    "Postal worker",
    "Potter",
    "Sailor",
    "Shopkeeper",
    "Social worker",
    "Tailor",
    "Teacher",
    "Translator",
    "Veterinarian",
    "Volunteer",
    "Welder",
)


def speakers_of(roles: Sequence[str], *, key: str, seed: int = 0) -> list[str]:
    """A name for each turn: one per role, all different, drawn by (seed, key) alone."""
    draw = random.Random(hashlib.blake2b(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest())
    different = list(dict.fromkeys(roles))
    chosen = draw.sample(NAMES if draw.random() < 0.5 else OCCUPATIONS, len(different))
    names = dict(zip(different, chosen, strict=True))
    return [names[role] for role in roles]
