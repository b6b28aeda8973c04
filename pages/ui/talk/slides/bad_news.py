"""Chapter 2, "Bad news": no amount of data tells turned latents apart."""

from pages.ui import rotate_views
from pages.ui.talk import captions, demos, worked
from pages.ui.talk.slides.slide import Slide

ROTATION = (
    r"$$\tilde z = M z, \quad M^\top M = I, \quad z \sim N(0, I) \;\Rightarrow\; \tilde z \sim N(0, I), \qquad "
    r"x = f(z) = f(M^\top \tilde z)$$"
)

SLIDES = (
    Slide(
        "turn",
        2,
        "Turn the latents: the prior does not notice, and neither does the data.",
        demos.dial,
        captions.turn,
        notes="Turn to 45°: z̃1 is now a mixture of both latents. The curves drawn on the data are the axes of z̃: "
        "they turn, and the points stay. The largest change of any x, written under the data, is rounding error.",
        maths=ROTATION,
        question="We rotate all latents by 45°. What happens to the data the model generates?",
        options=("It rotates too", "It changes a little", "Nothing"),
        right="Nothing",
        more=("rotate", {"run": "talk-vae"}),
    ),
    Slide(
        "flat",
        2,
        "No amount of data picks the axes.",
        demos.flat_curve,
        captions.flat,
        notes="MCC, the mean correlation with the true factors, is 1 if all are found. It stands on the right, and it "
        "does change. “Full q”: the bound with a Gaussian q that may lean, in place of a diagonal one. With real data "
        "nobody can see that curve. More data pins down p(x), about which all angles agree.",
        maths=ROTATION
        + "\n\n"
        + r"$$p(x) = \int p(x|f(z))\,N(z; 0, I)\,dz = \int p(x|f(M^\top\tilde z))\,N(\tilde z; 0, I)\,d\tilde z$$",
        question="log p(x) of the held-out data, against the angle: what shape has the curve?",
        options=("A peak at 0°", "A peak at the true axes", "Flat"),
        right="Flat",
        more=("rotate", {"run": "talk-vae", "view": "curve"}),
    ),
    Slide(
        "integral",
        2,
        "p(x) averages over all z. A turn of z changes none of the average.",
        worked.integral,
        captions.integral,
        notes="Every draw of z is decoded to one Gaussian. Their mean fills in p(x), the dashed line. At the end of "
        "the slider the latents turn: the same draws decode to other Gaussians. These move, and their mean does not.",
        maths=r"$$p(x) = \int p(x|z)\,p(z)\,dz \approx \frac1K \sum_k p(x|z_k), \qquad z_k \sim N(0, I)$$",
        more=("rotate", {"run": "talk-vae"}),
    ),
    Slide(
        "guess",
        2,
        "Two models of the same data: which one is true?",
        demos.guess,
        captions.none,
        notes="Let the room vote before you press 1, 2 or 3; the next key shows the answer without a vote. Each colour "
        "is a value of u, which neither model has seen. The MCC that then appears, the correlation with the true "
        "factors, needs these factors, which training did not have: another seed would have come out at another angle.",
        votes=rotate_views.VOTES,
        maths=r"$$\log p(x) = \log \tilde p(x) \quad \text{for every } x$$",
        more=("rotate", {"run": "talk-vae", "view": "guess"}),
    ),
    Slide(
        "best",
        2,
        "Twenty seeds, ranked by their bound. Which would you publish?",
        worked.bounds,
        captions.bounds,
        notes="Let the room answer before the picture: most trust the best bound. Each point is one seed of a VAE; the "
        "dashed line is the model of chapter 3, for comparison. Locatello et al. (2019): "
        "without inductive biases on models and data, unsupervised disentanglement is impossible, and "
        "well-disentangled models cannot be identified without supervision.",
        maths=ROTATION,
        question="Twenty seeds of one VAE. Does the best bound have the best latents?",
        options=("Yes", "No, the worst has", "No relation shows"),
        right="No relation shows",
        more=("study", {}),
    ),
    Slide(
        "widths",
        2,
        "Given x, the latents lean. A diagonal q cannot.",
        demos.widths,
        captions.widths,
        notes="Point at the data: the black ellipse is the exact posterior of that x, at one and two standard "
        "deviations. It leans, and turns from place to place. A diagonal q (dashed) can only be wide along z1 and z2: "
        "it loses least where the posterior happens to lie along them. In the corner of the data: x given z, with its "
        "own Σx, one for all z here. The Gauss-Newton q takes its widths from the slopes of the decoder. The next "
        "slide follows from this.",
        maths=r"$$p(x|z) = N(\mu_x(z), \Sigma_x), \qquad q_\phi(z|x) = N(\mu_z(x), \Sigma_z(x)), \qquad "
        r"\text{loss} = \mathrm{KL}(q_\phi(z|x)\,\|\,p_\theta(z|x))$$",
        more=("rotate", {"run": "talk-vae", "rotate_view": "widths"}),
    ),
    Slide(
        "diagonal",
        2,
        "“But VAEs do give nice axes!” That is the diagonal q speaking.",
        demos.exact_model,
        captions.diagonal,
        notes="This is the linear-Gaussian model, in closed form. A diagonal q prefers the axes of its own posterior, "
        "which are those of PCA (Rolinek et al. 2019). These are a property of the data, but nothing ties them to the "
        "factors: on the right, the MCC is highest at 35°, where the bound is not. The page Agree has a slider for "
        "that angle.",
        maths=r"$$\text{gap} = \tfrac12\Big[\sum_i \log (S^{-1})_{ii} + \log\det S\Big] \ge 0, "
        r"\qquad S \to M S M^\top$$",
        more=("rotate", {"view": "exact"}),
    ),
    Slide(
        "downstream",
        2,
        "For a linear decoder, turned latents are exactly as good.",
        worked.downstream,
        captions.downstream,
        notes="This is the answer that most rooms get wrong. Latents can be useful features and carry no meaning one "
        "by one. A tree, which looks at one latent at a time, does depend on the angle, and so does a person.",
        maths=r"$$w^\top z = (M w)^\top \tilde z, \qquad \|M w\| = \|w\|$$",
        question="From the latents, a linear classifier tells which group a row belongs to. We turn the latents by "
        "45°. How much accuracy is lost?",
        options=("None", "A little", "Half of it"),
        right="None",
        more=("recover", {"run": "talk-vae", "recover_view": "features"}),
    ),
    Slide(
        "any",
        2,
        "“So use another prior!” Any factorial prior can be turned.",
        demos.any_prior,
        captions.any_prior,
        notes="Follow one colour from left to right, at 45°. The square is filled evenly on the left and on the right: "
        "each latent is uniform. Still these are other latents, as the MCC above the right panel "
        "says. The page Any prior tests this.",
        maths=r"$$g = F^{-1} \circ \Phi \circ R \circ \Phi^{-1} \circ F, \qquad p(z) = p(g(z))\,|\det J_g(z)|$$",
        question="With a uniform prior a rotation would show: a turned square is no square. Is the case closed?",
        options=("Yes, solved", "No"),
        right="No",
        more=("any_prior", {"first": "uniform", "second": "uniform"}),
    ),
)
