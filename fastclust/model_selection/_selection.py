"""What a sweep found."""

import numpy as np


class Selection:
    """What a sweep found: a row for each model, and the choice by each criterion.

    Parameters
    ----------
    table : dict of str to list
        Columns by name; all of the same length. The first names the model: "n_clusters", or
        "covariance_type" and "n_components".
    choices : dict of str to int
        For each criterion the row of its choice, or None if it makes none.
    best_by : str
        The criterion that chooses `best_estimator_`.
    best_estimator : estimator
        The fitted estimator of that row.

    Attributes
    ----------
    table_ : dict of str to list
        The columns.
    choices_ : dict
        For each criterion the model that it chooses: a number of clusters, or a pair of covariance
        type and number of components; None if it makes no choice.
    agree_ : bool
        Whether all criteria that make a choice make the same.
    best_by_ : str
        The criterion that chose `best_estimator_`.
    best_estimator_ : KMeans or GaussianMixture
        Fitted to all rows.
    """

    def __init__(self, table, choices, best_by, best_estimator):
        self.table_ = table
        self._models = [name for name in table if name in ("covariance_type", "n_components")]
        self._models = self._models or ["n_clusters"]
        self.choices_ = {name: self._model(row) for name, row in choices.items()}
        made = {choice for choice in self.choices_.values() if choice is not None}
        self.agree_ = len(made) <= 1
        self.best_by_, self.best_estimator_ = best_by, best_estimator

    def _model(self, row):
        """Name of the model of a row of the table."""
        if row is None:
            return None
        names = tuple(self.table_[name][row] for name in self._models)
        return names if len(names) > 1 else names[0]

    def to_frame(self):
        """Return the table as a pandas DataFrame, a row for each model.

        Returns
        -------
        frame : DataFrame
            Indexed by the model.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        return pd.DataFrame(self.table_).set_index(self._models)

    def plot(self, criteria=None, *, ax=None):
        """Draw the criteria over the number of clusters, each with its choice.

        Parameters
        ----------
        criteria : sequence of str, default=None
            Columns of the table; those that make a choice if None, with the inertia for the elbow.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see `fastclust.plots.CurvesDisplay`.

        Returns
        -------
        display : CurvesDisplay
            A panel for each criterion, and for mixtures for each covariance type.
        """
        from fastclust.plots import CurvesDisplay

        if criteria is None:
            criteria = [name for name, choice in self.choices_.items() if choice is not None]
        columns = {name: "inertia" if name == "elbow" else name for name in criteria}
        unknown = [name for name, column in columns.items() if column not in self.table_]
        if unknown:
            raise ValueError(f"The table has no column {unknown[0]!r}.")
        if self._models == ["n_clusters"]:
            curves = {name: self.table_[column] for name, column in columns.items()}
            choices = {name: self.choices_[name] for name in criteria if self.choices_.get(name)}
            return CurvesDisplay.from_results(self.table_["n_clusters"], curves, choices, ax=ax)
        ks = sorted(set(self.table_["n_components"]))
        curves, choices = {}, {}
        for name, column in columns.items():
            models = zip(self.table_["covariance_type"], self.table_["n_components"], strict=True)
            values = dict(zip(models, self.table_[column], strict=True))
            for covariance_type in dict.fromkeys(self.table_["covariance_type"]):
                curve = [values.get((covariance_type, k), np.nan) for k in ks]
                if np.isnan(curve).all():  # the Bayesian mixture has one type
                    continue
                label = f"{name}, {covariance_type}"
                curves[label] = curve
                if (self.choices_.get(name) or ("",))[0] == covariance_type:
                    choices[label] = self.choices_[name][1]
        return CurvesDisplay.from_results(ks, curves, choices, ax=ax)

    def __str__(self):
        """Return the table, and what the criteria choose, as text."""
        lines = [list(self.table_)]
        lines += [
            [_text(value) for value in row] for row in zip(*self.table_.values(), strict=True)
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )
        verdict = "All criteria agree" if self.agree_ else "The criteria disagree"
        choices = ", ".join(
            f"{name} {'none' if choice is None else _text(choice)}"
            for name, choice in self.choices_.items()
        )
        return f"{text}\n{verdict}: {choices}. best_estimator_ is by {self.best_by_}."


def _text(value):
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.7g}" if isinstance(value, float) else str(value)
