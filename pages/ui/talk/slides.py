"""The slides of the talk: each one's claim, question and picture, and notes for the presenter.

`demos.py` draws the pictures of shipped runs and `worked.py` those that are worked out on the spot, `captions.py`
writes the sentences that depend on numbers, and `pages/talk.py` shows one slide at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pages.ui import arrow_views, rotate_views
from pages.ui.talk import captions, demos, without_u, worked

CHAPTERS = ("Just do it", "Bad news", "Rescue", "Without u")


@dataclass(frozen=True)
class Slide:
    """One screen of the talk.

    Attributes:
        name: Identifies the slide in a link: /talk?stop=name.
        chapter: 1 to 4.
        title: The claim, in one sentence.
        demo: Draws the picture.
        caption: Returns the sentence under the picture; "" for none.
        notes: Notes for the presenter, shown on demand.
        maths: The formula, shown on demand.
        question: Asked before the picture is shown; "" for none.
        options: The answers to choose from.
        right: The option that the picture bears out.
        votes: The answers to choose from beside a picture that is itself the question.
        more: The page to continue on, and its query parameters.
        live: Recipe that can be trained during the talk in less than 15 s of a quiet core, or "".
        watch: Draws that training; None draws the latents of every seed.
        play: What the playground shows in its place, as the link of its page holds it; None for no playground.
    """

    name: str
    chapter: int
    title: str
    demo: Callable[[], None]
    caption: Callable[[], str]
    notes: str
    maths: str
    question: str = ""
    options: tuple[str, ...] = ()
    right: str = ""
    votes: tuple[str, ...] = ()
    more: tuple[str, dict[str, str]] = ("traverse", {})
    live: str = ""
    watch: Callable[..., None] | None = None
    play: str | None = None

    @property
    def asks(self) -> tuple[str, ...]:
        """The answers that the room can give; () if the slide asks nothing."""
        return self.options or self.votes


VAE_LOSS = (
    r"$$\mathcal{L} = \underbrace{\mathrm{E}_{q_\phi(z|x)}[-\log p_\theta(x|z)]}_{\text{reconstruction}} + \beta\, "
    r"\underbrace{\mathrm{KL}(q_\phi(z|x)\,\|\,p(z))}_{\text{distance to the prior}}$$"
)
ROTATION = (
    r"$$\tilde z = M z, \quad M^\top M = I, \quad z \sim N(0, I) \;\Rightarrow\; \tilde z \sim N(0, I), \qquad "
    r"x = f(z) = f(M^\top \tilde z)$$"
)
CONDITIONAL_PRIOR = (
    r"$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$"
)

SLIDES = (
    Slide(
        "why",
        1,
        "Many measured numbers x. Which few causes z lie behind them?",
        worked.recording,
        captions.why,
        notes="This recording is simulated: 60 place cells, and below them the position that drives them. Say what a "
        "latent is: a number that was not measured. The talk asks whether the ones that a model finds are real.",
        maths=r"Given samples of $x$ alone, with $p(x, z) = p_\theta(x|z)\,p(z)$ and $p(z) = \prod_i p(z_i)$: find "
        r"$\theta$, and the posterior $p_\theta(z|x)$.",
        more=("data", {"data": "neurons"}),
    ),
    Slide(
        "ica",
        1,
        "ICA solves the linear case: it makes Wx independent.",
        worked.ica,
        captions.ica,
        notes="Turn the dial for the Laplace factors first: the curve has one minimum, at the factors. Then switch to "
        "Gaussian factors: the curve is flat, which is chapter 2 in miniature. With a nonlinear mixing there is a "
        "minimum, and it is not at the factors.",
        maths=r"$$x = A s + \varepsilon, \qquad W = \arg\min_W I\big((Wx)_1; (Wx)_2\big)$$ Disentanglement is, "
        r"roughly, nonlinear ICA: $x = f(z) + \varepsilon$.",
        more=("recover", {"run": "talk-ivae"}),
    ),
    Slide(
        "generate",
        1,
        "A few numbers z draw a picture x.",
        demos.drag_digits,
        captions.generate,
        notes="Drag the first slider slowly from end to end. Ask: what does this slider change? Wait for an answer. "
        "There will be several: the model gave it no name.",
        maths=r"$$z \sim p(z) = N(0, I), \qquad x \sim p_\theta(x|z)$$",
        more=("traverse", {"run": "digits-beta-vae"}),
    ),
    Slide(
        "encode",
        1,
        "A VAE learns both ways: from x to z, and back.",
        demos.reconstructions,
        captions.encode,
        notes="The encoder turns each picture x into q(z|x), a Gaussian that says which z may have drawn it. The "
        "digits are held out. The reconstruction loses what the latents do not carry; the next slide says what that "
        "costs.",
        maths=VAE_LOSS,
        more=("traverse", {"run": "digits-beta-vae"}),
    ),
    Slide(
        "loss",
        1,
        "The loss has two parts: how well x comes back, and what z costs.",
        demos.loss,
        captions.loss,
        notes="q(z|x) is the Gaussian over z that the encoder gives for this digit. Drag a slider away from where it "
        "started: the reconstruction gets worse. Drag it to 0: the KL falls, and the picture forgets. The encoder "
        "stands where the sum is small. For the bars, the mean of q follows the sliders, and its widths stay the "
        "encoder's.",
        maths=VAE_LOSS,
        more=("traverse", {"run": "digits-beta-vae", "from": "data"}),
    ),
    Slide(
        "beta",
        1,
        "Raise β, and the latents say less.",
        demos.betas,
        captions.beta,
        notes="A nat is the unit of information, 1.44 bits; β is the weight of the KL in the loss, the price of a "
        "nat. Say so before the room answers. Drag the first slider, then change β. A latent that is not worth its "
        "price returns to the prior and is dead. The latents that remain are said to be cleaner, which is where the "
        "word “disentangled” came from; the next slide looks at that. Here the reconstruction is E[log p(x|z)]: more "
        "is better.",
        maths=VAE_LOSS,
        question="What does a larger β do to the pictures?",
        options=("Sharper", "Blurred", "Nothing"),
        right="Blurred",
        more=("traverse", {"run": "digits-beta-vae", "mode": "betas"}),
    ),
    Slide(
        "faces",
        1,
        "One latent, one meaning, it seems.",
        demos.faces,
        captions.faces,
        notes="This is the slide of every beta-VAE talk. These faces are drawn by a program, so the true factors are "
        "known and can be compared with the latents: the number at a slider is its correlation with the factor named "
        "there. Do not say yet that it works.",
        maths=VAE_LOSS,
        more=("traverse", {"run": "faces-beta-vae"}),
    ),
    Slide(
        "seeds",
        1,
        "Train it again from other seeds: does z1 mean the same?",
        demos.seeds,
        captions.seeds,
        notes="A colour is one of five groups of rows (u, of which the models know nothing; chapter 3 returns to it), "
        "and one group is drawn in full strength. Compare where that colour lies: seeds have turned or mirrored the "
        "cloud in their own way, and some agree by chance. The sentence below counts the pairs. ELBO: the bound that "
        "was maximised, nearly the same for all. Train it live takes ten seconds of a quiet core; Back to the shipped "
        "models ends it.",
        maths=r"$$\text{seeds } 0..7: \quad \text{nearly the same } p_\theta(x), \text{ other } q_\phi(z|x)$$",
        question="Eight seeds of one VAE on the same data. Do they find the same axes?",
        options=("The same", "Up to order and sign", "Each its own"),
        right="Each its own",
        more=("agree", {"run": "talk-vae"}),
        live="talk-vae",
        play="",
    ),
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
        question="Five clusters, and nobody tells the model which row is in which. Does the likelihood tell the axes?",
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
NAMES = tuple(slide.name for slide in SLIDES)
