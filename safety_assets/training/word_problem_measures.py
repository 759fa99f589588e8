"""Word problems on money, time, ways and other measures.

Numbers are drawn so that every division leaves nothing over and every result is at least 1.
"""

from __future__ import annotations

import random

from safety_assets.training.word_problem_working import FRUITS, NAMES, WISHES, Story, Working

__all__ = ["MEASURING_STORIES"]


def _change(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    fruit, other = draw.sample(FRUITS, 2)
    many, price, more, dearer = (draw.randint(2, 9) for _ in range(4))
    paid = draw.choice([200, 250, 300])
    first = work.step(f"The {fruit} cost {{}} cents.", many, "*", price)
    second = work.step(f"The {other} cost {{}} cents.", more, "*", dearer)
    both = work.step("Together that is {} cents.", first, "+", second)
    work.step("The change is {} cents.", paid, "-", both)
    return (
        f"At the market {name} buys {many} {fruit} at {price} cents each and {more} {other} at {dearer} cents each. "
        f"{name} pays with {paid} cents. How many cents does {name} get back?"
    ), work


def _ages(draw: random.Random) -> tuple[str, Working]:
    (old, young), work = draw.sample(NAMES, 2), Working()
    age, older, years = draw.randint(5, 14), draw.randint(2, 9), draw.randint(3, 12)
    then = work.step(f"In {years} years {young} will be {{}} years old.", age, "+", years)
    older_then = work.step(f"{old} will still be {older} years older: {{}}.", then, "+", older)
    work.step("Together they will be {} years old.", then, "+", older_then)
    return (
        f"{young} is {age} years old, and {old} is {older} years older than {young}. How old will the two be together "
        f"in {years} years?"
    ), work


def _journey(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    slow, fast = draw.randint(8, 18), draw.randint(30, 80)
    hours, more = draw.sample(range(2, 7), 2)
    ridden = work.step("On the bicycle it is {} kilometres.", slow, "*", hours)
    driven = work.step("On the bus it is {} kilometres.", fast, "*", more)
    work.step("The whole journey is {} kilometres.", ridden, "+", driven)
    return (
        f"{name} cycles for {hours} hours at {slow} kilometres an hour, then takes a bus for {more} hours at {fast} "
        f"kilometres an hour. How many kilometres does {name} travel?"
    ), work


def _saving(draw: random.Random) -> tuple[str, Working]:
    (name,), work, wish = draw.sample(NAMES, 1), Working(), draw.choice(WISHES)
    weekly, weeks, has = draw.randint(3, 12), draw.randint(3, 16), draw.randint(5, 30)
    price = has + weekly * weeks
    missing = work.step("Still missing are {} coins.", price, "-", has)
    work.step("That takes {} weeks.", missing, "/", weekly)
    return (
        f"{name} wants to buy a {wish} for {price} coins and has {has} coins. Each Friday {name} puts {weekly} coins "
        f"into a jar. After how many Fridays is there enough money?"
    ), work


def _discount(draw: random.Random) -> tuple[str, Working]:
    (name,), work, wish = draw.sample(NAMES, 1), Working(), draw.choice(WISHES)
    price, percent, bell = (
        draw.randint(2, 30) * 20,
        draw.choice([5, 10, 15, 20, 25, 30, 40]),
        draw.randint(2, 9),
    )
    times = work.step("First {}.", price, "*", percent)
    off = work.step("The discount is {} crowns.", times, "/", 100)
    reduced = work.step("The reduced price is {} crowns.", price, "-", off)
    work.step("With the wrapping that is {} crowns.", reduced, "+", bell)
    return (
        f"A {wish} costs {price} crowns. In the sale it is {percent} percent cheaper. {name} buys it and also pays "
        f"{bell} crowns for wrapping. How many crowns does {name} spend?"
    ), work


def _reading(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    daily, days, rest, later = (
        draw.randint(8, 25),
        draw.randint(3, 9),
        draw.randint(4, 10),
        draw.randint(10, 30),
    )
    pages = daily * days + rest * later
    read = work.step(f"So far {name} has read {{}} pages.", daily, "*", days)
    left = work.step("The number of pages left is {}.", pages, "-", read)
    work.step(f"Each day {name} must read {{}} pages.", left, "/", rest)
    return (
        f"A book has {pages} pages. {name} reads {daily} pages a day for {days} days. The library wants the book back "
        f"in {rest} more days. How many pages a day must {name} read from now on to finish it?"
    ), work


def _fence(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    long, wide, price, gate = (
        draw.randint(12, 40),
        draw.randint(4, 11),
        draw.randint(3, 15),
        draw.randint(20, 90),
    )
    sides = work.step("One long and one short side are {} metres.", long, "+", wide)
    around = work.step("All the way round it is {} metres.", sides, "*", 2)
    fence = work.step("The wire costs {} coins.", around, "*", price)
    work.step("With the pole it is {} coins.", fence, "+", gate)
    return (
        f"{name} puts wire round a meadow in the shape of a rectangle, {long} metres long and {wide} metres wide. A "
        f"metre of wire costs {price} coins, and a flag pole costs {gate} coins more. How much does {name} pay?"
    ), work


def _wages(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    wage, hours, sunday = draw.randint(9, 25), draw.randint(10, 38), draw.randint(3, 8)
    usual = work.step("The usual hours bring {} coins.", wage, "*", hours)
    twofold = work.step("An hour on Sunday brings {} coins.", wage, "*", 2)
    extra = work.step("Sunday brings {} coins.", twofold, "*", sunday)
    work.step("Together that is {} coins.", usual, "+", extra)
    return (
        f"{name} works in a boathouse for {wage} coins an hour, and for double on Sundays. Last month {name} worked "
        f"{hours} hours on other days and {sunday} hours on Sundays. How many coins did {name} earn?"
    ), work


def _practice(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    daily, lazy, short = draw.randint(20, 50), draw.randint(2, 4), draw.randint(5, 15)
    busy = work.step("The other days of the week are {}.", 7, "-", lazy)
    much = work.step("On those days it is {} minutes.", busy, "*", daily)
    little = work.step("On the lazy days it is {} minutes.", lazy, "*", short)
    work.step("In all it is {} minutes.", much, "+", little)
    return (
        f"{name} practises the oboe every day of the week: on {lazy} lazy days for {short} minutes, and on all the other "
        f"days for {daily} minutes. How many minutes does {name} practise in a week?"
    ), work


def _barrel(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    leak, gain, minutes, inside = (
        draw.randint(2, 5),
        draw.randint(4, 15),
        draw.randint(5, 30),
        draw.randint(6, 40),
    )
    flow, full = leak + gain, inside + gain * minutes
    rising = work.step("Each minute the barrel gains {} litres.", flow, "-", leak)
    missing = work.step("It can still take {} litres.", full, "-", inside)
    work.step("It is full after {} minutes.", missing, "/", rising)
    return (
        f"A rain barrel holds {full} litres and has {inside} litres in it. {name} lets {flow} litres a minute run in, but "
        f"{leak} litres a minute leak out. After how many minutes is the barrel full?"
    ), work


def _tickets(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    seats, adults, price, cheap = (
        draw.randint(60, 120),
        draw.randint(15, 50),
        draw.randint(9, 18),
        draw.randint(3, 8),
    )
    children = work.step("The number of children is {}.", seats, "-", adults)
    first = work.step("The adults pay {} coins.", adults, "*", price)
    second = work.step("The children pay {} coins.", children, "*", cheap)
    work.step("In the cash box there are {} coins.", first, "+", second)
    return (
        f"{name} sells all {seats} tickets for a puppet show, {adults} of them to adults and the rest to children. An adult "
        f"pays {price} coins and a child {cheap} coins. How many coins are in the cash box?"
    ), work


def _average(draw: random.Random) -> tuple[str, Working]:
    (name,), work = draw.sample(NAMES, 1), Working()
    first, second, average = draw.randint(20, 60), draw.randint(20, 60), draw.randint(42, 60)
    third = 3 * average - first - second
    two = work.step("The first two rounds bring {} points.", first, "+", second)
    total = work.step("All rounds together bring {} points.", two, "+", third)
    work.step("The average is {} points.", total, "/", 3)
    return (
        f"In three rounds of skittles {name} scores {first}, {second} and {third} points. What is the average of the "
        f"three scores?"
    ), work


MEASURING_STORIES: tuple[Story, ...] = (
    _change,
    _ages,
    _journey,
    _saving,
    _discount,
    _reading,
    _fence,
    _wages,
    _practice,
    _barrel,
    _tickets,
    _average,
)
