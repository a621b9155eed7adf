"""What the displays share: matplotlib, colours, rows and centers."""

import numpy as np

OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"]
"""Colours that most people tell apart [M. Okabe and K. Ito, "Color universal design", 2008]."""

MAX_DOTS = 20_000
"""More rows than these are counted in cells."""

MAX_VECTOR_DOTS = 2_000
"""More rows than these are pixels, not shapes, in a PDF or SVG."""

N_CELLS = 250
"""Cells in each direction in which rows are counted."""

MAX_NUMBERS = 20
"""More centers than these are drawn without their labels."""

INK = "0.15"
"""Colour of lines and text over the rows."""


def import_pyplot():
    """Return matplotlib.pyplot, or say how to install it."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            'The plots of fastclust need matplotlib. Install it by pip install "fastclust[plots]".'
        ) from error
    return matplotlib.pyplot


def make_axes(ax):
    """Return the given axes, or those of a new figure."""
    pyplot = import_pyplot()
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


def make_palette(n_colors):
    """Colours of clusters: as RGB, of shape (n_colors, 3)."""
    import_pyplot()
    import matplotlib

    if n_colors <= len(OKABE_ITO):
        return matplotlib.colors.to_rgba_array(OKABE_ITO[:n_colors])[:, :3]
    return matplotlib.colormaps["viridis"](np.linspace(0, 1, n_colors))[:, :3]


def tint(palette, share):
    """Mix colours with white, of which the share remains."""
    return 1 - share * (1 - palette)


def draw_rows(ax, points, codes, palette, extent):
    """Draw the rows in the colours of their clusters.

    Few rows are dots, smaller the more there are. Many are counted in cells: a cell has the mean
    colour of its rows and is the more opaque the more there are, on a scale of logarithms.

    Returns
    -------
    artist : PathCollection or AxesImage
        What was drawn.
    """
    n_rows = len(points)
    if n_rows <= MAX_DOTS:
        return ax.scatter(
            *points.T,
            s=np.clip(600 / np.sqrt(max(n_rows, 1)), 3, 28),
            c=palette[codes],
            linewidths=0.4 if n_rows <= MAX_VECTOR_DOTS else 0,
            edgecolors="white" if n_rows <= MAX_VECTOR_DOTS else "none",
            rasterized=n_rows > MAX_VECTOR_DOTS,
            zorder=2,
        )
    image = count_in_cells(points, codes, palette, extent)
    return draw_image(ax, image, extent, zorder=2)


def count_in_cells(points, codes, palette, extent):
    """Image of shape (N_CELLS, N_CELLS, 4) of many rows, as `draw_rows` describes."""
    low, high = np.array(extent[::2]), np.array(extent[1::2])
    column, row = np.clip((points - low) / (high - low) * N_CELLS, 0, N_CELLS - 1).astype(int).T
    cell = row * N_CELLS + column
    counts = np.bincount(cell, minlength=N_CELLS**2)
    image = np.zeros((N_CELLS**2, 4))
    for channel in range(3):
        sums = np.bincount(cell, weights=palette[codes, channel], minlength=N_CELLS**2)
        image[:, channel] = sums / np.maximum(counts, 1)
    image[:, 3] = np.where(counts > 0, 0.25 + 0.75 * np.log1p(counts) / np.log1p(counts.max()), 0)
    return np.clip(image, 0, 1).reshape(N_CELLS, N_CELLS, 4)


def draw_image(ax, image, extent, **options):
    """Draw an image of cells, its first row lowest."""
    return ax.imshow(image, extent=extent, origin="lower", aspect="auto", **options)


def draw_centers(ax, centers, names):
    """Draw the centers as white discs, with their labels if they are not too many."""
    numbered = len(centers) <= MAX_NUMBERS
    artist = ax.scatter(
        *centers.T, s=170 if numbered else 14, c="white", edgecolors=INK, linewidths=1, zorder=6
    )
    if numbered:
        for center, name in zip(centers, names, strict=True):
            ax.text(
                *center, str(name), ha="center", va="center", size=8, color=INK, zorder=7,
                clip_on=True,
            )  # fmt: skip
    return artist


def finish_plane(ax, axis_labels, extent):
    """Set the limits of the axes and their names."""
    ax.set(xlabel=axis_labels[0], ylabel=axis_labels[1], xlim=extent[:2], ylim=extent[2:])


def draw_legend(ax, handles):
    """Draw a legend above the axes, where it hides nothing."""
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles),
        frameon=False, fontsize="small", borderaxespad=0.3, columnspacing=1.2,
        handletextpad=0.5, handlelength=1.6,
    )  # fmt: skip
