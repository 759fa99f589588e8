"""Word problems on things and people that are counted, shared and packed.

Numbers are drawn so that every division leaves nothing over and every result is at least 1.
"""

from __future__ import annotations

import random

from safety_assets.training.word_problem_working import CAKES, NAMES, PLANTS, TOYS, Story, Working

__all__ = ["COUNTING_STORIES"]


def _boxes(draw: random.Random) -> tuple[str, Working]:
    (name,), work, cake = draw.sample(NAMES, 1), Working(), draw.choice(CAKES)
    size, boxes, trays = draw.randint(3, 8), draw.randint(4, 15), draw.randint(3, 6)
    # What is given away makes up the rest of the trays.
    each = -(-(size * boxes + 2) // trays)
    given = trays * each - size * boxes
    baked = work.step(f"{name} bakes {{}} {cake}.", trays, "*", each)
    left = work.step(f"After the gift {{}} {cake} are left.", baked, "-", given)
    work.step("They fill {} boxes.", left, "/", size)
    return (
        f"{name} bakes {trays} trays with {each} {cake} on each tray. {given} {cake} go to the neighbours. The rest "
        f"is packed into boxes of {size}. How many boxes does {name} fill?"
    ), work


def _half(draw: random.Random) -> tuple[str, Working]:
    (name, friend), work, toy = draw.sample(NAMES, 2), Working(), draw.choice(TOYS)
    pile, lost, found = 2 * draw.randint(15, 60), draw.randint(2, 9), draw.randint(3, 20)
    given = work.step(f"{friend} gets {{}} {toy}.", pile, "/", 2)
    left = work.step(f"{name} keeps {{}} {toy}.", pile, "-", given)
    fewer = work.step("After the loss there are {}.", left, "-", lost)
    work.step("With the new ones there are {}.", fewer, "+", found)
    return (
        f"{name} has {pile} {toy} and gives half of them to {friend}. Then {name} loses {lost} {toy} on the way home "
        f"and finds {found} others in a drawer. How many {toy} does {name} have now?"
    ), work


def _harvest(draw: random.Random) -> tuple[str, Working]:
    (name,), work, plant = draw.sample(NAMES, 1), Working(), draw.choice(PLANTS)
    rows, each, wilted, fruits = (
        draw.randint(3, 9),
        draw.randint(4, 12),
        draw.randint(2, 8),
        draw.randint(3, 11),
    )
    planted = work.step("There are {} plants at first.", rows, "*", each)
    alive = work.step("After the frost there are {} plants.", planted, "-", wilted)
    work.step("They bear {} fruits.", alive, "*", fruits)
    return (
        f"In the garden of {name} stand {rows} rows of {each} {plant} plants. {wilted} plants die in a late frost. "
        f"Each of the plants that are left bears {fruits} fruits. How many fruits can {name} pick?"
    ), work


def _sharing(draw: random.Random) -> tuple[str, Working]:
    (a, b, c), work, toy = draw.sample(NAMES, 3), Working(), draw.choice(TOYS)
    first, second, share = draw.randint(10, 40), draw.randint(10, 40), draw.randint(30, 45)
    third = 3 * share - first - second
    two = work.step(f"{a} and {b} bring {{}} {toy}.", first, "+", second)
    pile = work.step(f"With those of {c} there are {{}} {toy}.", two, "+", third)
    work.step(f"Each of them gets {{}} {toy}.", pile, "/", 3)
    return (
        f"{a} brings {first} {toy}, {b} brings {second} and {c} brings {third}. They put them on one pile, and the three "
        f"friends share it equally. How many {toy} does each of them get?"
    ), work


def _collections(draw: random.Random) -> tuple[str, Working]:
    (a, b, c), work, toy = draw.sample(NAMES, 3), Working(), draw.choice(TOYS)
    few, fewer = draw.randint(12, 60), draw.randint(3, 20)
    many = work.step(f"{a} has {{}} {toy}.", few, "*", 2)
    third = work.step(f"{c} has {{}} {toy}.", many, "-", fewer)
    two = work.step(f"{a} and {b} have {{}} {toy}.", many, "+", few)
    work.step(f"All of them have {{}} {toy}.", two, "+", third)
    return (
        f"{b} has {few} {toy}. {a} has twice as many as {b}, and {c} has {fewer} fewer than {a}. How many {toy} do they "
        f"have together?"
    ), work


def _tram(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    start, off, on, last = draw.randint(25, 60), draw.randint(3, 12), draw.randint(4, 20), draw.randint(5, 15)
    fewer = work.step("After the mill there are {} passengers.", start, "-", off)
    more = work.step("At the bridge it becomes {}.", fewer, "+", on)
    work.step("After the school there are {} passengers.", more, "-", last)
    return (
        f"{name} drives the tram with {start} passengers. At the mill {off} get off, at the bridge {on} get on, and at "
        f"the school {last} get off. How many passengers are left?"
    ), work


def _recipe(draw: random.Random) -> tuple[str, Working]:
    (name,), work, cake = draw.sample(NAMES, 1), Working(), draw.choice(CAKES)
    serves, times, each = draw.randint(3, 8), draw.randint(2, 7), draw.randint(10, 60)
    grams, guests = serves * each, serves * times
    portion = work.step("One person needs {} grams.", grams, "/", serves)
    work.step("All the guests need {} grams.", portion, "*", guests)
    return (
        f"For {serves} people {name} needs {grams} grams of flour to make {cake}. How many grams of flour does {name} need "
        f"for {guests} guests?"
    ), work


def _legs(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    hens, goats, new = draw.randint(5, 40), draw.randint(3, 25), draw.randint(2, 9)
    herd = work.step("Now there are {} goats.", goats, "+", new)
    four = work.step("The goats have {} legs.", herd, "*", 4)
    two = work.step("The hens have {} legs.", hens, "*", 2)
    work.step("In the yard there are {} legs.", four, "+", two)
    return (
        f"{name} keeps {hens} hens and {goats} goats, and today buys {new} more goats. How many legs do all the animals "
        f"have together?"
    ), work


COUNTING_STORIES: tuple[Story, ...] = (_boxes, _half, _harvest, _sharing, _collections, _tram, _recipe, _legs)
