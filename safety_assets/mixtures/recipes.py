"""Recipes: the slices of a mixture and their shares, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from resources.errors import ResourceError

__all__ = ["GENERAL_PREFIX", "SLICES", "MixtureError", "Recipe", "load_recipes", "with_general"]

PACKAGED = Path(__file__).parent / "recipes.yaml"
# Slices made of the lake's tables; a slice "general:NAME" is a general corpus of the profile.
SLICES = ("web", "safe_web", "rephrased", "refusals", "moral_education", "tagged_web", "reflected_web")
GENERAL_PREFIX = "general:"
ROUNDING = 1e-6


class MixtureError(ResourceError):
    """A recipe that cannot be read, or for which there is not enough text."""


@dataclass(frozen=True)
class Recipe:
    """A mixture by shares. ``slices`` keeps the order of the file: the first is the ground of the recipe."""

    name: str
    description: str
    slices: Mapping[str, float]

    @property
    def tagged(self) -> bool:
        """Whether a model of this recipe learns the harmfulness tag."""
        return "tagged_web" in self.slices

    @property
    def reflected(self) -> bool:
        """Whether a model of this recipe learns to reflect."""
        return "reflected_web" in self.slices

    @property
    def ground(self) -> str:
        """The slice that takes what others leave over."""
        return next(iter(self.slices))


def load_recipes(path: Path | str | None = None) -> dict[str, Recipe]:
    """Recipes by name; None reads the packaged ladder.

    Raises:
        MixtureError: the file cannot be read, names an unknown slice, or has shares that do not sum to 1.
    """
    file = Path(path) if path else PACKAGED
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        recipes = {
            name: Recipe(name, entry["description"], dict(entry["slices"])) for name, entry in found.items()
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise MixtureError(
            f"The recipes in {file.name} cannot be read: {error}. Each needs a description and slices with shares."
        ) from error
    for recipe in recipes.values():
        _validate(recipe, file.name)
    return recipes


def with_general(recipe: Recipe, general: Mapping[str, float]) -> Recipe:
    """The recipe beside general corpora: they get their shares, the recipe's own slices what is left.

    Raises:
        MixtureError: general corpora that leave nothing over.
    """
    taken = sum(general.values())
    if not 0 <= taken < 1:
        raise MixtureError(f"The general corpora take {taken:.0%} of the budget: leave some to the recipe.")
    own = {name: share * (1 - taken) for name, share in recipe.slices.items()}
    others = {GENERAL_PREFIX + name: share for name, share in sorted(general.items())}
    return Recipe(recipe.name, recipe.description, own | others)


def _validate(recipe: Recipe, where: str) -> None:
    unknown = [name for name in recipe.slices if name not in SLICES]
    if unknown or not recipe.slices:
        raise MixtureError(
            f"Recipe {recipe.name} of {where} names the slices {unknown}: known are {', '.join(SLICES)}."
        )
    total = sum(recipe.slices.values())
    if abs(total - 1) > ROUNDING or min(recipe.slices.values()) <= 0:
        raise MixtureError(
            f"The shares of recipe {recipe.name} in {where} sum to {total:g}: make it 1, none below 0."
        )
