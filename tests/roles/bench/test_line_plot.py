import re
import xml.etree.ElementTree as ET

import pytest

from swapstats.roles.bench.line_plot import PANEL, POINTS_MAX, WIDTH, Panel, nice_step, plot

SVG = "{http://www.w3.org/2000/svg}"
MINUTES = [0.0, 1.0, 2.0, 3.0]


def lines_of(drawn: str) -> list[list[tuple[float, float]]]:
    """Points of every line, in order."""
    paths = [
        path.get("d", "")
        for path in ET.fromstring(drawn).iter(f"{SVG}path")
        if path.get("fill") == "none"
    ]
    points = [re.findall(r"[ML](\S+) (\S+?)(?=L|$)", path) for path in paths]
    return [[(float(x), float(y)) for x, y in each] for each in points]


def texts_of(drawn: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_lines_have_their_shape_and_stay_in_their_panel() -> None:
    drawn = plot(MINUTES, [Panel("a", {"up": [0, 1, 2, 4]}), Panel("b", {"down": [9, 6, 3, 0]})])
    up, down = lines_of(drawn)
    assert [y for _, y in up] == sorted((y for _, y in up), reverse=True)
    assert [y for _, y in down] == sorted(y for _, y in down)
    assert all(0 < y < PANEL for _, y in up)
    assert all(PANEL < y < 2 * PANEL for _, y in down)
    assert [x for x, _ in up] == [x for x, _ in down] == sorted(x for x, _ in up)
    assert all(0 < x < WIDTH for x, _ in up)


def test_names_and_titles_are_escaped() -> None:
    texts = texts_of(plot(MINUTES, [Panel("a < b & c", {"<i>": [1, 1, 1, 1]})]))
    assert {"a < b & c", "<i>"} <= set(texts)


def test_ticks_reach_above_the_highest_value() -> None:
    texts = texts_of(plot(MINUTES, [Panel("a", {"x": [0, 50, 170, 3]})]))
    assert {"0", "50", "100", "150", "200"} <= set(texts)


@pytest.mark.parametrize(("span", "step"), [(4, 1), (3.9, 1), (10, 5), (1_000, 500), (0.04, 0.01)])
def test_steps_are_round(span: float, step: float) -> None:
    assert nice_step(span) == pytest.approx(step)


def test_a_peak_survives_thinning() -> None:
    count = 10 * POINTS_MAX
    values = [1.0] * count
    values[777] = 100.0
    (line,) = lines_of(
        plot([float(number) for number in range(count)], [Panel("a", {"x": values})])
    )
    assert len(line) <= POINTS_MAX
    heights = sorted(y for _, y in line)
    assert heights[0] < heights[1]


def test_nothing_but_zeros_is_a_line_at_the_foot() -> None:
    (line,) = lines_of(plot(MINUTES, [Panel("a", {"x": [0, 0, 0, 0]})]))
    assert len({y for _, y in line}) == 1


def test_lines_must_fit_the_moments() -> None:
    with pytest.raises(ValueError, match="Expected 4 values of x, was 1"):
        plot(MINUTES, [Panel("a", {"x": [1]})])
    with pytest.raises(ValueError, match="two moments"):
        plot([1.0], [])
