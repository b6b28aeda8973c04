"""How a rotation affects a downstream task: a linear decoder not at all, one that uses single latents a lot."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from dvae_core.identify.matrices import rotation_matrix

DEPTH = 3  # of the tree: at most eight boxes


def accuracy_by_angle(
    z: Float[np.ndarray, "n 2"], labels: Int[np.ndarray, " n"], angles: Sequence[float | int]
) -> tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Return the accuracy of predicting a label from M z, for two decoders, at every angle of M.

    Both are fitted on the even rows and scored on the odd ones. Logistic regression with an L2 penalty is a function of
    inner products alone, so that a rotation cannot change it; a decision tree cuts along single latents.

    Args:
        z: Latents.
        labels: What is predicted.
        angles: In degrees.

    Returns:
        Accuracies of the linear decoder and of the tree, between 0 and 1.
    """
    fit, score = slice(0, None, 2), slice(1, None, 2)
    linear, tree = [], []
    for angle in angles:
        turned = z @ rotation_matrix(2, float(angle)).T
        for found, decoder in (
            (linear, LogisticRegression(tol=1e-8, max_iter=1000)),
            (tree, DecisionTreeClassifier(max_depth=DEPTH, random_state=0)),
        ):
            found.append(decoder.fit(turned[fit], labels[fit]).score(turned[score], labels[score]))
    return np.array(linear), np.array(tree)
