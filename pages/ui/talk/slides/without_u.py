"""Chapter 4, "Without u": what else can fix the axes."""

from pages.ui import arrow_views
from pages.ui.talk import without_u
from pages.ui.talk.slides.slide import Slide

SLIDES = (
    Slide(
        "straight",
        4,
        "And without u? If f is linear and no factor is Gaussian, x alone gives the axes.",
        without_u.straight_world,
        without_u.straight_numbers,
        notes="Each point has the hue of the quarter that its factors lie in: where hues meet along the axes of a "
        "panel, the factors are found. First row: x = As mixes them, PCA stops at uncorrelated axes, FastICA finds "
        "them. Second row, the control: with Gaussian factors FastICA returns some rotation. Last column, the other "
        "control: three layers in place of A, and it fails for both. It breaks two lines of chapter 2 at once: the "
        "prior is not round, and a turned copy of a linear f by way of the Gaussian is not linear. Left over: order, "
        "sign, scale.",
        maths=r"$$x = A s, \qquad W = \arg\min_W \sum_i H\big((Wx)_i\big) - \log|\det W|$$ "
        r"identifies $s$ up to order, sign and scale, if at most one factor is Gaussian (Comon 1994).",
        question="Two independent Laplace factors, mixed linearly. Nothing else is observed. Can x give the factors?",
        options=("No, as chapter 2 says", "Only up to a rotation", "Yes, up to order, sign and scale"),
        right="Yes, up to order, sign and scale",
        more=("recover", {"run": "talk-ivae", "recover_view": "ica"}),
    ),
    Slide(
        "time",
        4,
        "Watch it move: if every factor has a memory of its own, time fixes the axes.",
        without_u.time,
        without_u.time_numbers,
        notes="Three panels of arrows: own memories, rows shuffled, equal memories. Slide a₂ to .95: both memories "
        "are equal, and the curve is flat; that is one control, shuffled rows (dashed) are the other. At .6 a turn "
        "costs .47 nats. Each arrow is where a latent of one seed points among the true factors, which lie along the "
        "green lines (no u, a nonlinear f): all end on them, and the controls fan out. Train the first panel live. "
        "The line of chapter 2 that breaks: the covariance of a pair of rows is [[I, A], [A, I]], and M A Mᵀ is not A "
        "unless memories are equal. Left over: order and sign. At .8 and .7 (.02 nats) no training found the axes.",
        maths=r"$$p(z_t|z_{t-1}) = \prod_i N(a_i z_{t-1,i},\, 1 - a_i^2), \qquad \mathrm{E}[h_i(z_t)|z_{t-1}] = "
        r"b_i h_i(z_{t-1})$$ so $h_i$ is an eigenfunction, a product of Hermite polynomials; $h_i \sim N(0, 1)$ leaves "
        r"degree 1. Distinct $a$: $h_i = \pm z_j$. Equal $a$: a rotation.",
        question="No u, a nonlinear f, but the rows are a film. What do neighbouring rows fix?",
        options=("Nothing", "The axes, always", "The axes, if memories differ"),
        right="The axes, if memories differ",
        more=("bend", {}),
        live="talk-time",
        watch=arrow_views.live,
    ),
    Slide(
        "hidden",
        4,
        "“u was hidden!” A mixture identifies the axes, and hardly any data will tell.",
        without_u.hidden,
        without_u.hidden_numbers,
        notes="Turn the axes: the clusters are diagonal along the factors alone, so a mixture of diagonal Gaussians "
        "has its best fit there (Kivva et al. 2022, for a piecewise affine f). The curves say by how much, for K "
        "Gaussians: ten of them hide what five would show. With one cluster (the control) nothing bends. A theorem "
        "about the limit is not a demonstration on a few thousand rows; four times the rows, or clusters twice as far "
        "apart, did not help (What bends the curve? draws it). Left over in theory: order, sign and scale; in "
        "practice nearly a rotation.",
        maths=r"$$p(z) = \sum_k \pi_k N(\mu_k, \mathrm{diag}\, \sigma_k^2)$$ is known up to an affine map if $f$ is "
        r"piecewise affine and injective.",
        question="Five clusters, and the model does not know which row is in which. Does the likelihood give the axes?",
        options=("No", "Hardly", "As well as with u"),
        right="Hardly",
        more=("bend", {}),
    ),
    Slide(
        "nats",
        4,
        "No assumption, no axes: an assumption helps by as many nats as it bends the curve.",
        without_u.table,
        without_u.closing_words,
        notes="Left: what is flat, or bends by less than .04 nats; no training found the axes there. Right: what "
        "bends. Every row has its control on the other side: shuffled or equal memories, hidden u, Gaussian factors. "
        "An MCC without an effect is that of random axes, .8 to .9, so compare a row with its own control. Send "
        "the room to What bends the curve? with one question: what do you assume, and how many nats is it worth?",
        maths=r"$$\text{bend}(M) = \max_{p} \mathrm{E} \log p(z) - \max_{p} \mathrm{E} \log p(M^\top z)$$",
        more=("bend", {}),
    ),
)
