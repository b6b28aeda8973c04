"""The names of the reference lines. No torch."""

# What needs no model at all, as score["floors"] calls it, and in words.
FLOORS = {
    "raw_x": "x itself",
    "pca": "PCA",
    "fastica": "FastICA",
    "u_only": "copying u",
    "random_rotation": "random rotation",
}
