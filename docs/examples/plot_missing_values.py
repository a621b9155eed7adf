"""
Missing values in a mixture of Gaussians
========================================

A third of the values of some rows is removed at random. There are three ways to find the means and
covariances of the two components that the rows were drawn from:

- ``GaussianMixture(missing="ignore")`` finds the components of greatest likelihood of the values
  that are left;
- ``SimpleImputer`` replaces each missing value by the mean of its column, and a mixture is fitted;
- ``IterativeImputer`` replaces each by what a regression on the other columns says, and a mixture
  is fitted.

Values that are means of columns vary too little, and lie between the components. A regression on
all rows knows no components: here the columns are correlated one way in the first component, and
another way in the second.
"""

# %%
# Rows of two components, and values removed at random
# ----------------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (it is experimental)
from sklearn.impute import IterativeImputer, SimpleImputer

from fastclust import GaussianMixture

N_FEATURES = 5
SIGNS = (-1.0) ** np.arange(N_FEATURES)
CORRELATED = 0.3 * np.eye(N_FEATURES) + 0.7  # 1 on the diagonal, 0.7 elsewhere

means = np.array([[-2.0] * N_FEATURES, [2.0] * N_FEATURES])
covariances = np.array([CORRELATED, CORRELATED * np.outer(SIGNS, SIGNS)])


def draw_rows(seed, n_samples=1_000, share_missing=1 / 3):
    """Rows of the two components, and the same with values missing."""
    rng = np.random.default_rng(seed)
    component = rng.choice(2, size=n_samples, p=[0.6, 0.4])
    noise = [rng.multivariate_normal(np.zeros(N_FEATURES), c, n_samples) for c in covariances]
    complete = means[component] + np.where(component[:, np.newaxis] == 0, *noise)
    is_missing = rng.random(complete.shape) < share_missing
    return complete, np.where(is_missing, np.nan, complete)


# %%
# The three ways, on five such sets of rows
# -----------------------------------------
#
# The error is the root of the mean squared difference to the means, or covariances, that the rows
# were drawn from.

IMPUTERS = {
    "missing='ignore'": None,
    "SimpleImputer": SimpleImputer(),
    "IterativeImputer": IterativeImputer(max_iter=50, tol=0.01, random_state=0),
}


def find_errors(mixture):
    """Errors of the means and of the covariances."""
    order = np.argsort(mixture.means_[:, 0])
    differences = mixture.means_[order] - means, mixture.covariances_[order] - covariances
    return [np.sqrt(np.square(d).mean()) for d in differences]


errors = {way: [] for way in IMPUTERS}  # for each set of rows, of means and of covariances
rows, mixtures = {}, {}  # of the last set
for seed in range(5):
    complete, X = draw_rows(seed)
    for way, imputer in IMPUTERS.items():
        rows[way] = X if imputer is None else imputer.fit_transform(X)
        mixtures[way] = GaussianMixture(2, random_state=0, missing="ignore").fit(rows[way])
        errors[way].append(find_errors(mixtures[way]))

print(f"{'error of the':18}{'means':>8}{'covariances':>14}")
for way in IMPUTERS:
    of_means, of_covariances = np.mean(errors[way], axis=0)
    print(f"{way:18}{of_means:8.3f}{of_covariances:14.3f}")

# %%
# What they make of the first two columns
# ---------------------------------------
#
# Dots are rows: as the mixture was given them, or with ``missing="ignore"`` as it completes them.
# Ellipses, of two standard deviations, are dashed for the components that the rows were drawn from.


def draw_ellipse(ax, mean, covariance, **style):
    """Draw an ellipse of two standard deviations in the plane of the first two columns."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = 2 * np.array([np.cos(angle), np.sin(angle)])
    ax.plot(*(mean[:2, np.newaxis] + np.linalg.cholesky(covariance[:2, :2]) @ circle), **style)


figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharex=True, sharey=True, layout="constrained")
for ax, (way, mixture) in zip(axes, mixtures.items(), strict=True):
    ax.scatter(*mixture.impute(rows[way])[:, :2].T, s=4, color="0.7")
    for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True):
        draw_ellipse(ax, mean, covariance, color="tab:blue", linewidth=2)
    for mean, covariance in zip(means, covariances, strict=True):
        draw_ellipse(ax, mean, covariance, color="black", linestyle="--", linewidth=1)
    ax.set(title=way, xlabel="column 0", aspect="equal")
axes[0].set_ylabel("column 1")

# %%
# What was missing
# ----------------
#
# The mixture fills in what is missing, by the rest of its row: ``impute(X)`` by the mean of what it
# may have been, which is nearest to what it was; with ``draw=True`` by a value drawn at random, so
# that columns vary as much as they did.

mixture = mixtures.pop("missing='ignore'")
filled = {way: rows[way] for way in mixtures}
filled["impute(X)"] = mixture.impute(X)
filled["impute(X, draw=True)"] = mixture.impute(X, draw=True, random_state=0)

is_missing = np.isnan(X)
print(f"{'missing values':22}{'error':>7}{'s.d.':>7}")
print(f"{'as they were':22}{0:7.2f}{complete[is_missing].std():7.2f}")
for way, values in filled.items():
    error = np.sqrt(np.square(values - complete)[is_missing].mean())
    print(f"{way:22}{error:7.2f}{values[is_missing].std():7.2f}")

plt.show()
