"""The names of the reference lines. No torch."""

# Each key of score["floors"] with its name on figures and pages.
FLOORS = {
    "raw_x": "x itself",
    "pca": "PCA",
    "fastica": "FastICA",
    "u_only": "copying u",
    "random_rotation": "random rotation",
}
