"""Random moves up the waiting list: how often is one worse for the dataset that moves, and by how much.

    python benchmarks/enrolment/moves.py --moves 1000000

Prints JSON. Exits non-zero where a move of anything but the dataset at the edge of the priority lane is worse, or more
than `--allowed` of a million moves are.
"""

import argparse
import json
import random
import sys
from dataclasses import replace

from dissco_platform.enrolment.parameters import Parameters
from dissco_platform.enrolment.waiting_list import Candidate, plan

DISCIPLINES, COUNTRIES, SIZES = ("Botany", "Zoology", "Geology"), ("NL", "KE", "BR"), ("S", "M", "L")


def _list(draw: random.Random) -> list[Candidate]:
    return [
        Candidate(
            f"d{place:02}",
            draw.randint(0, 10),
            f"2025-01-{draw.randint(1, 28):02}",
            draw.randint(0, 2_000),
            draw.choice((None, None, "r1", "r2", "r3")),
            draw.choice((None, *DISCIPLINES)),
            draw.choice((None, *COUNTRIES)),
            draw.choice((0, draw.randint(0, 500))),
            draw.random() < 0.9,
        )
        for place in range(draw.randint(2, 12))
    ]


def _history(draw: random.Random) -> dict[str, dict[str, int]]:
    named = {"discipline": DISCIPLINES, "country": COUNTRIES, "size": SIZES}
    return {
        dimension: {each: draw.randint(0, 2_000) for each in categories if draw.random() < 0.5}
        for dimension, categories in named.items()
    }


def _edge(draw: random.Random) -> tuple[list[Candidate], int, dict[str, dict[str, int]]]:
    """Return a list whose mover may push another dataset out of the priority lane, into the gaps of several lanes."""
    sizes = [
        draw.randint(600, 790),
        draw.randint(60, 400),
        draw.randint(10, 120),
        *(draw.randint(20, 300) for _ in "abcd"),
    ]
    where = [
        (None, None),
        (None, None),
        ("Zoology", "KE"),
        ("Zoology", None),
        (None, "KE"),
        ("Geology", "BR"),
        (None, "BR"),
    ]
    points = [10, draw.choice((3, 5, 7, 9)), 8, 1, 1, draw.choice((4, 6)), 2]
    listed = [
        Candidate(f"d{place:02}", score, "2025-01-10", need, f"i{place}", discipline, country)
        for place, (score, need, (discipline, country)) in enumerate(zip(points, sizes, where, strict=True))
    ]
    history = {
        "discipline": {"Zoology": draw.randint(0, 4_000), "Botany": 4_000, "Geology": draw.randint(0, 4_000)},
        "country": {"KE": draw.randint(0, 4_000), "NL": 4_000, "BR": draw.randint(0, 4_000)},
    }
    return listed, 1_000, history


def main() -> int:
    """Search, print what was found, say whether the claim holds."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--moves", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--allowed", type=float, default=30.0, help="worse moves in a million")
    options = asked.parse_args()
    draw = random.Random(options.seed)
    moves, worse = 0, []
    while moves < options.moves:
        listed, quota, history = _list(draw), draw.randint(0, 6_000), _history(draw)
        settings = Parameters(
            lanes={"discipline": draw.choice((0, 0.1)), "country": draw.choice((0, 0.06)), "size": 0.04},
            cap=draw.choice((0.1, 0.25, 1.0)),
            fair_share=draw.choice((0.5, 0.8, 1.0)),
            min_tranche=draw.choice((0, 50)),
            small=300,
            medium=1_500,
        )
        if draw.random() < 0.5:
            listed, quota, history = _edge(draw)
            settings = replace(settings, lanes={"discipline": 0.1, "country": 0.1}, cap=1.0, small=10**6, medium=10**7)
        before = plan(listed, quota, settings, history).totals()
        for place in draw.sample(range(len(listed)), min(4, len(listed))):
            found = listed[place]
            better = replace(
                found,
                score=draw.randint(found.score, 10),
                registered=draw.choice((found.registered, "0001-01-01", min(other.registered for other in listed))),
            )
            moves += 1
            after = plan([*listed[:place], better, *listed[place + 1 :]], quota, settings, history)
            lost = before.get(found.id, 0) - after.totals().get(found.id, 0)
            if lost > 0:
                # In the priority lane and not served in full: the one that did not fit into it.
                edge = any(grant.id == found.id and grant.lane == "priority" for grant in after.grants)
                worse.append({"lost": lost, "of_round": round(lost / quota, 4), "of_need": found.demand, "edge": edge})
    rate = len(worse) / moves * 1_000_000
    holds = rate <= options.allowed and all(each["edge"] for each in worse)
    print(
        json.dumps(
            {
                "moves": moves,
                "worse": len(worse),
                "worse_in_a_million": round(rate, 1),
                "most_of_round": max((each["of_round"] for each in worse), default=0),
                "cases": worse[:20],
                "holds": holds,
            },
            indent=1,
        )
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
