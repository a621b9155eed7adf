"""Decisions of the iterations on panels, without kernels: costs in, decisions out."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from fastclust._algorithms.kmeans.policy import DEFAULT, LloydPolicy, Next, RegroupPlan

PLAIN, REGROUP = 1000, 2500  # costs of a plain iteration and of a regrouping


def make_plan(policy=DEFAULT, regroup_cost=REGROUP, may_skip=True):
    return RegroupPlan(policy, PLAIN, regroup_cost, may_skip)


def never():
    raise AssertionError("the sample of the rows is not looked at")


def test_the_constants_are_constant():
    with pytest.raises(FrozenInstanceError):
        DEFAULT.helps = 1.0


@pytest.mark.parametrize(("n_samples", "n_clusters", "expected"), [
    (1_000_000, 16, 64),  # the limit
    (30_000, 60, 29),  # 1024 rows a chunk
    (3_000, 4, 8),  # few chunks may have fewer
    (3_000, 1000, 1),  # the sums of two chunks would be larger than half of the rows
])  # fmt: skip
def test_number_of_chunks(n_samples, n_clusters, expected):
    assert DEFAULT.chunk_limit(n_samples, n_clusters, 8) == expected


def test_the_filter_pays_for_enough_work_and_features():
    assert DEFAULT.filter_pays(2**19, 3)
    assert not DEFAULT.filter_pays(2**19 - 1, 3)
    assert not DEFAULT.filter_pays(2**19, 2)


def test_the_constants_say_when_the_filter_pays():
    policy = replace(DEFAULT, filter_work=100.0, filter_features=1)
    assert policy.filter_pays(100, 1)
    assert not policy.filter_pays(99, 1)


def test_filtered_iterations_cost_about_half():
    whole = DEFAULT.plain_cost(100, 10, 61, filtered=False)
    assert whole == 100 * 10 * 64
    assert DEFAULT.plain_cost(100, 10, 61, filtered=True) == 100 * 10 * 66 // 2


@pytest.mark.parametrize(
    ("n_clusters", "n_features", "n_vectors"), [(8, 2, 1), (500, 2, 32), (64, 64, 4)]
)
def test_bounds_take_no_more_memory_than_rows_and_less_time(n_clusters, n_features, n_vectors):
    block_panels = DEFAULT.block_panels(n_clusters, n_features, n_vectors)
    assert n_vectors <= block_panels * n_features
    test_cost, active_cost, _ = DEFAULT.block_costs(1, block_panels, n_features, n_vectors)
    assert test_cost + active_cost <= block_panels * n_clusters * (n_features + 3)


def test_costs_follow_their_constants():
    policy = replace(
        DEFAULT, test_cost=1, test_vector_cost=2, active_cost=3, evaluate_cost=4, row_cost=5,
        value_cost=6,
    )  # fmt: skip
    assert policy.regroup_cost(10, 7) == 10 * (5 + 6 * 7)
    # Blocks of 2 panels of 7 features, 3 vectors of bounds: tests, labelling, and a center.
    assert policy.block_costs(100, 2, 7, 3) == (100 * (1 + 2 * 3), 3, 2 * (7 + 4))
    # Labelling a block by bounds, 1 + 2 * 3 + active_cost, costs as much as two panels of 5.
    assert replace(policy, active_cost=3).block_panels(1, 2, 3) == 2
    assert replace(policy, active_cost=4).block_panels(1, 2, 3) == 3


@pytest.mark.parametrize(("first_regroup", "n_plain"), [(2, 5), (3, 8), (10, 25)])
def test_rows_wait_for_the_first_regrouping(first_regroup, n_plain):
    plan = make_plan(replace(DEFAULT, first_regroup=first_regroup))
    plan.note_plain(3)
    assert not plan.regroup_pays(lambda: 0.0)
    assert 3 + plan.plain_steps(300) == n_plain  # first_regroup times 2.5, rounded up
    plan.note_plain(n_plain - 3)
    assert plan.regroup_pays(never)


def test_without_skipping_all_iterations_are_plain():
    plan = make_plan(may_skip=False)
    assert plan.plain_steps(300) == 300
    plan.note_plain(300)
    assert not plan.considers()


def test_rows_that_are_dear_to_regroup_never_are():
    assert make_plan(regroup_cost=12 * PLAIN).may_regroup
    assert not make_plan(regroup_cost=12 * PLAIN + 1).may_regroup


def test_a_regrouping_waits_for_its_own_cost():
    plan = make_plan()
    assert plan.plain_steps(300) == 3  # 2500 / 1000, rounded up
    plan.note_plain(2)
    assert not plan.considers()
    plan.note_plain(1)
    assert plan.considers()


def test_clusters_that_are_apart_are_regrouped_early():
    plan = make_plan()
    plan.note_plain(3)
    assert plan.regroup_pays(lambda: 1.0)  # all that is spared would have paid
    assert not plan.regroup_pays(lambda: 0.6)  # 2500 / 0.6 has not been spent yet
    assert plan.plain_steps(300) == 2  # but is after two more
    plan.note_plain(2)
    assert plan.regroup_pays(lambda: 0.6)


def test_others_are_regrouped_when_it_is_a_third_of_the_cost_so_far():
    plan = make_plan()
    plan.note_plain(3)
    assert not plan.regroup_pays(lambda: 0.0)
    assert plan.plain_steps(300) == 5  # 7500
    plan.note_plain(5)
    assert plan.regroup_pays(never)


def test_clusters_that_are_hardly_apart_are_looked_at_again_later():
    plan = make_plan(regroup_cost=9 * PLAIN)
    plan.note_plain(9)
    assert not plan.regroup_pays(lambda: 0.5)
    assert plan.plain_steps(1000) == 18  # when it is a third of the cost
    plan = make_plan(regroup_cost=9 * PLAIN)
    plan.note_plain(18)
    assert plan.regroup_pays(lambda: 0.51)


def regrouped(policy=DEFAULT):
    plan = make_plan(policy)
    plan.note_plain(8)
    plan.note_regroup()
    return plan


def bounded(plan, n_iter, cost):
    plan.note_bounded(n_iter, cost)
    return plan.after_bounded(cost)


def test_two_bounded_iterations_show_what_the_bounds_are_worth():
    plan = regrouped()
    assert plan.bounded_steps(300) == (1, math.inf)
    assert bounded(plan, 1, 900) is Next.BOUNDED
    assert plan.bounded_steps(300) == (1, math.inf)
    assert bounded(plan, 1, 400) is Next.BOUNDED
    n_steps, budget = plan.bounded_steps(300)
    assert (n_steps, budget) == (300, REGROUP + 900)  # another regrouping, and its first iteration


def test_rows_are_regrouped_again_when_as_much_was_spent():
    plan = regrouped()
    bounded(plan, 1, 900)
    bounded(plan, 1, 400)
    assert bounded(plan, 8, 3399) is Next.BOUNDED
    assert bounded(plan, 1, 1) is Next.REGROUP


def test_patience_grows_while_regroupings_gain_nothing():
    plan = regrouped()
    bounded(plan, 1, 900)
    bounded(plan, 1, 400)
    bounded(plan, 10, 3400)  # 340 each
    plan.note_regroup()
    bounded(plan, 1, 900)
    bounded(plan, 1, 300)  # no less than half of 340
    assert plan.bounded_steps(300)[1] == 2 * (REGROUP + 900)


def test_bounds_that_do_not_help_are_left_for_a_while_that_doubles():
    plan = regrouped()
    bounded(plan, 1, 900)
    assert bounded(plan, 1, 501) is Next.PLAIN
    assert plan.plain_steps(300) == 20  # 8 regroupings
    plan.note_plain(20)
    plan.note_regroup()
    bounded(plan, 1, 900)
    assert bounded(plan, 1, 501) is Next.PLAIN
    assert plan.plain_steps(300) == 40
    assert bounded(regrouped(replace(DEFAULT, helps=math.inf)), 2, 10**6) is Next.BOUNDED


def test_what_a_policy_leaves_out_is_the_default():
    assert LloydPolicy(helps=1.0) == replace(DEFAULT, helps=1.0)
