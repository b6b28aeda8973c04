"""Chapter 3, "Rescue": an auxiliary variable u fixes the axes."""

from pages.ui.talk import captions, demos, without_u, worked
from pages.ui.talk.slides.slide import Slide

CONDITIONAL_PRIOR = (
    r"$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$"
)

SLIDES = (
    Slide(
        "u",
        3,
        "Now observe something besides x: an auxiliary variable u.",
        demos.world,
        captions.auxiliary,
        notes="In the lab, u is the stimulus, the position or the block of time. Here it is the colour: one of five "
        "segments. It is observed; the factors s, which drew the data, are not. (z is what a model puts in their "
        "place.)",
        maths=CONDITIONAL_PRIOR,
        more=("data", {}),
    ),
    Slide(
        "lambda",
        3,
        "The prior moves with u, and that is what can be learned.",
        worked.lambdas,
        captions.lambdas,
        notes="A Gaussian p(z|u) has two statistics, z and z², each with a coefficient λ for every u. Before training "
        "all bars of a panel are equal. The learned bars may be higher or lower than the true ones; what counts is "
        "that they follow them from one u to the next. With n latents of k statistics each, theorem 1 needs the bars "
        "to vary in enough directions: nk + 1 values of u.",
        maths=CONDITIONAL_PRIOR + r" For a Gaussian: $T = (z, z^2)$, $\lambda = (\mu/\sigma^2, -1/2\sigma^2)$.",
        more=("conditions", {"run": "talk-ivae"}),
    ),
    Slide(
        "rescue",
        3,
        "The iVAE finds the factors; the VAE does not.",
        demos.four_panels,
        captions.rescue,
        notes="iVAE: identifiable VAE. The two models have the same nets, the same loss and the same noise. Only the "
        "prior differs: p(z|u) in place of p(z). The VAE's latents are not just the factors turned: f is curved, and "
        "any map that keeps N(0, I) is left, not rotations alone; (d) is bent as well. The panels show one seed, the "
        "caption the mean over seeds. The refined means in (c) use u as well; the caption says what x alone gives. "
        "This data set is one of few on which no simple method comes close: see the strip of other worlds on Recover.",
        maths=CONDITIONAL_PRIOR
        + "\n\n**Theorem 1** (Khemakhem et al. 2020): $T^*(z^*) = A\\,T(z) + c$; for $k \\ge 2$, $A$ is a block "
        "permutation (theorem 2, which also needs $f$ to have continuous second-order cross derivatives).",
        question="Same data, same nets. One model sees u, a plain VAE does not. What will the VAE's latents be?",
        options=("The factors", "The factors, turned", "Something else"),
        right="Something else",
        more=("recover", {"run": "talk-ivae"}),
        live="talk-ivae",
        play="prior~u",
    ),
    Slide(
        "bent",
        3,
        "With u, the angle matters: the likelihood bends.",
        demos.bent_curve,
        captions.bent,
        notes="Chapter 3 in one line. Compare it with the flat curve of chapter 2; the axis of nats is finer here. "
        "What remains free here is order, sign, scale and offset.",
        maths=r"$$\text{gap} = \mathrm{E}_u\,\tfrac12\Big[\sum_i \log (M V_u M^\top)_{ii} - \log\det V_u\Big]$$",
        question="The same curve for the iVAE, log p(x|u): what shape now?",
        options=("Flat again", "Highest at 0° and 90°", "Highest at 45°"),
        right="Highest at 0° and 90°",
        more=("rotate", {"run": "talk-ivae", "view": "curve"}),
    ),
    Slide(
        "lines",
        3,
        "A score needs its reference lines.",
        demos.reference_lines,
        captions.reference_lines,
        notes="Each row that is not a model is a score that needs no training: x itself, PCA, FastICA, a copy of u, "
        "the true factors turned at random. With two factors a random rotation scores .9, with five still .75: "
        "without that line, .9 sounds like success.",
        maths=r"$$\mathrm{MCC} = \max_\pi \frac1n \sum_i |\mathrm{corr}(z_i, \hat z_{\pi(i)})|$$",
        question="Take the two true factors and rotate them at random. What is their mean correlation with the truth?",
        options=("About 0", "About 0.5", "About 0.9"),
        right="About 0.9",
        more=("recover", {"run": "talk-ivae", "view": "scores"}),
    ),
    Slide(
        "recording",
        3,
        "A recording: one space, axes by convention.",
        demos.place_cells,
        captions.place_cells,
        notes="31 units of rat CA1 (data: nelpy, MIT licence); a bin is 100 ms of spikes. Drag z1: one unit after the "
        "other fires, which is place coding; the picture is decoded from z alone. The caption compares seeds, one is "
        "drawn: every seed finds this space, and another seed turns its axes, so do not name them. u is the position. "
        "It moves the means of the prior and hardly its variances, and means alone leave a linear map. With u "
        "shuffled, seeds agree as well, but position is no longer read from them: agreement is no evidence for u.",
        maths=CONDITIONAL_PRIOR + r" with $x$ counts: $p_\theta(x|z) = \prod_j \mathrm{Poisson}(x_j; e^{f_j(z)})$",
        question="31 place cells, six seeds, u = position. What may be published about the latents?",
        options=("They are the brain's code", "One space; axes by convention", "Nothing"),
        right="One space; axes by convention",
        more=("agree", {"run": "track-ivae"}),
    ),
    Slide(
        "clock",
        3,
        "The clock is a u that costs nothing.",
        without_u.clock,
        without_u.clock_numbers,
        notes="Nothing was recorded beside x. The factors' variances drift, so the number of the stretch that a row "
        "lies in says something about them: time-contrastive learning (Hyvarinen and Morioka 2016) in an iVAE. Each "
        "arrow is where a latent of one seed points among the true factors. Right, the control: the same rows, "
        "shuffled before they were cut into stretches. It scores below a random rotation, since such latents are bent "
        "as well as turned. If nothing drifts, the clock is such a shuffled u. Order, sign "
        "and a curve on each axis are left over.",
        maths=CONDITIONAL_PRIOR + r" with $u = \lceil t / 200 \rceil$",
        question="Only x was recorded, but what drives it drifts. Can u be the number of a stretch of time?",
        options=("No, u must be measured", "Yes", "Only with a linear f"),
        right="Yes",
        more=("data", {}),
    ),
    Slide(
        "close",
        3,
        "What must u be like?",
        demos.closing_table,
        captions.close,
        notes="This is the open question. The links below the table open the playground with one condition broken: "
        "press Play, and read the sentence under the seeds. With f folded, two values of u or variances alike the "
        "playground promises nothing. Gaussian noise breaks no condition, and still costs; noise with a gap in its "
        "characteristic function breaks the first. Send the room to Agree and Conditions with their own data.",
        maths=r"$$L = (\lambda(u^1) - \lambda(u^0), \ldots, \lambda(u^{nk}) - \lambda(u^0)) \quad "
        r"\text{invertible}$$" + "\n\nThe theorems also assume that the data come from a model of this family, that "
        "p(x|u) is known exactly for every u, and, for theorems 2 and 3, that f is smooth.",
        more=("data", {}),
    ),
)
