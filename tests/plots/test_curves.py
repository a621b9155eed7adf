"""Criteria for the number of clusters."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from fastclust.plots import CurvesDisplay
from tests.plots.models import CURVES


def test_curves_have_panels_and_marked_choices():
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, {"BIC": 2, "AIC": 3})
    assert len(set(display.axes_)) == 2
    assert [ax.get_ylabel() for ax in display.axes_] == ["BIC", "AIC"]
    for ax, (name, choice, value) in zip(
        display.axes_, [("BIC", 2, 10), ("AIC", 3, 8)], strict=True
    ):
        np.testing.assert_array_equal(display.lines_[name].get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(display.lines_[name].get_ydata(), CURVES[name])
        ring = display.rings_[name]
        assert (ring.get_xdata(), ring.get_ydata()) == ([choice], [value])
        assert ring.axes is ax
        assert [text.get_text() for text in ax.texts] == [f"k = {choice}"]


@pytest.mark.parametrize(("choice", "right", "below"), [
    (1, True, False),
    (2, True, True),
    (4, False, True),
    (5, False, False),
])  # fmt: skip
def test_the_name_of_a_choice_is_beside_the_curve(choice, right, below):
    curve = [9.0, 1, 5, 2, 7]
    display = CurvesDisplay.from_results([1, 2, 3, 4, 5], {"BIC": curve}, {"BIC": choice})
    x, y = display.ax_.texts[0].get_position()
    assert (x > 0, y < 0) == (right, below)


def test_a_curve_of_one_value():
    assert CurvesDisplay.from_results([3], {"BIC": [1]}, {"BIC": 3}).ax_.texts


def test_curves_share_axes_if_asked():
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, shared=True)
    assert display.axes_[0] is display.axes_[1] is display.ax_
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["BIC", "AIC"]
    assert display.rings_ == {}


def test_curves_are_sorted_and_may_have_gaps():
    display = CurvesDisplay.from_results(
        range(4, 0, -1), {"silhouette": [0.3, 0.4, 0.6, np.nan]}, {"silhouette": 2}
    )
    np.testing.assert_array_equal(display.k_values, [1, 2, 3, 4])
    np.testing.assert_array_equal(display.curves["silhouette"], [np.nan, 0.6, 0.4, 0.3])
    assert display.rings_["silhouette"].get_ydata() == [0.6]


@pytest.mark.parametrize(("value", "height"), [(np.inf, 1), (-np.inf, 0)])
@pytest.mark.parametrize("others", [[0.3, 0.4], [np.nan, np.nan]])
def test_an_infinite_choice_is_at_the_edge(value, height, others):
    display = CurvesDisplay.from_results([1, 2, 3], {"gap": [*others, value]}, {"gap": 3})
    ring = display.rings_["gap"]
    assert ring.get_ydata() == [height]
    assert display.ax_.texts[0].get_text() == "k = 3: infinite"
    display.figure_.canvas.draw()
    (_, place), box = ring.get_transform().transform((3, height)), display.ax_.bbox
    assert place == pytest.approx(box.y1 if height else box.y0)


@pytest.mark.parametrize("values", [[1.7e308, 1e308, 5e307], [-1.7e308, 1.7e308, np.inf]])
def test_curves_of_the_largest_numbers_can_be_drawn(values):
    display = CurvesDisplay.from_results([1, 2, 3], {"inertia": values}, {"inertia": 2})
    display.figure_.canvas.draw()
    assert display.ax_.get_ylabel() == "inertia / 1e+300"
    np.testing.assert_array_equal(display.curves["inertia"], values)


def test_curves_are_drawn_on_given_axes():
    figure, axes = plt.subplots(1, 2)
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, ax=axes)
    assert display.figure_ is figure
    assert display.axes_.tolist() == axes.tolist()
    display.plot(ax=axes[1])
    assert display.axes_.tolist() == [axes[1], axes[1]]
    with pytest.raises(ValueError, match="There are 2 criteria, but 3 axes"):
        display.plot(ax=plt.subplots(3)[1])
