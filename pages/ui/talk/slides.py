"""The talk, stop by stop: what is claimed, what is asked first, what is then seen, and what the presenter may say.

Words only. `scenes.py` has the pictures, `pages/talk.py` shows one stop at a time.
"""

from dataclasses import dataclass

CHAPTERS = ("Just do it", "Bad news", "Rescue")


@dataclass(frozen=True)
class Stop:
    """One screen of the talk.

    Attributes:
        name: In the link: /talk?stop=name.
        chapter: 1, 2 or 3.
        claim: One sentence, shown as the headline.
        scene: Name of the function in `scenes.py` that draws.
        see: What to look at, shown under the picture (after the answer, where something is asked first).
        notes: For the presenter, on demand.
        maths: The formula, on demand.
        question: Asked before the picture is shown; "" asks nothing.
        options: The answers to choose from.
        more: Page on which the room can go on, and its query parameters.
        live: Recipe that can be trained here and now in less than 15 s, or "".
    """

    name: str
    chapter: int
    claim: str
    scene: str
    see: str
    notes: str
    maths: str
    question: str = ""
    options: tuple[str, ...] = ()
    more: tuple[str, dict[str, str]] = ("traverse", {})
    live: str = ""


VAE_LOSS = (
    r"$$\mathcal{L} = \underbrace{\mathrm{E}_{q_\phi(z|x)}[-\log p_\theta(x|z)]}_{\text{reconstruction}} + \beta\, "
    r"\underbrace{\mathrm{KL}(q_\phi(z|x)\,\|\,p(z))}_{\text{distance to the prior}}$$"
)
TURN = (
    r"$$\tilde z = M z, \quad M^\top M = I, \quad z \sim N(0, I) \;\Rightarrow\; \tilde z \sim N(0, I), \qquad "
    r"x = f(z) = f(M^\top \tilde z)$$"
)
CONDITIONAL = r"$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$"

STOPS = (
    Stop(
        "generate", 1, "A few numbers z draw a picture x.", "drag_digits",
        "Move one latent: everything else follows. This is E[x|z] of a trained beta-VAE, decoded in the browser.",
        "Drag z1 slowly, end to end. Ask: what would you call this number? Let the room name it before going on.",
        r"$$z \sim p(z) = N(0, I), \qquad x \sim p_\theta(x|z)$$",
        more=("traverse", {"run": "digits-beta-vae"}),
    ),
    Stop(
        "encode", 1, "A VAE learns both ways: from x to z, and back.", "rebuild",
        "Upper rows: data it never saw. Lower rows: the same through z and back.",
        "Held-out digits. What is lost is what the latents do not carry; the loss says how much that costs.",
        VAE_LOSS,
        more=("traverse", {"run": "digits-beta-vae"}),
    ),
    Stop(
        "beta", 1, "Raise β, and latents fall silent one by one.", "betas",
        "Slide β from 1 to 8: fewer latents speak (nats of KL beside each), and the picture blurs.",
        "β is the price of a nat. A latent that is not worth its price goes back to the prior and is dead. "
        "The survivors look cleaner, and that is where “disentangled” came from.",
        VAE_LOSS,
        question="What does a larger β do to the pictures?",
        options=("Sharper", "Blurred", "Nothing"),
        more=("traverse", {"run": "digits-beta-vae", "mode": "betas"}),
    ),
    Stop(
        "faces", 1, "One latent, one meaning, it seems.", "faces",
        "Skin, age and hair: nearly one slider each. It looks as if the model had found the factors.",
        "This is the slide of every beta-VAE talk. The faces are drawn, so their true factors are known, and can be "
        "asked about: no latent holds smile or gaze, which move few pixels, and saturation is half one. "
        "Do not say yet that it works.",
        VAE_LOSS,
        more=("traverse", {"run": "faces-beta-vae"}),
    ),
    Stop(
        "seeds", 1, "Train it again from other seeds: does z1 mean the same?", "seeds",
        "Eight models, one data set, equal bounds. The latents of the same row lie elsewhere in each.",
        "Same colour, same value of u. Compare where a colour lies: every seed has turned the cloud its own way.",
        r"$$\text{seeds } 0..7: \quad \text{the same } p_\theta(x), \text{ other } q_\phi(z|x)$$",
        question="Eight seeds of one VAE on the same data. Do they find the same axes?",
        options=("The same", "Up to order and sign", "Each its own"),
        more=("recover", {"run": "talk-vae"}), live="talk-vae",
    ),
    Stop(
        "turn", 2, "Turn the latents: the prior does not notice, and neither does the data.", "dial",
        "Take the dial. z̃ moves, its circles stay, and every x = f(Mᵀz̃) stays where it was.",
        "Turn to 45°. The strips on the right change their meaning: z̃1 is now a mixture. Under them stands the largest "
        "change of any x: rounding error.",
        TURN,
        question="We rotate all latents by 45°. What happens to the data the model generates?",
        options=("It rotates too", "It changes a little", "Nothing"),
        more=("rotate", {"run": "talk-vae"}),
    ),
    Stop(
        "flat", 2, "No amount of data picks the axes.", "flat",
        "log p(x) is flat, to Monte Carlo error. So is the ELBO, if q may correlate the latents.",
        "The MCC with the true factors does change, below. Nobody can see that curve in real life.",
        TURN + "\n\n" + r"$$p(x) = \int p(x|f(z))\,N(z; 0, I)\,dz = \int p(x|f(M^\top\tilde z))\,N(\tilde z; 0, I)"
        r"\,d\tilde z$$",
        question="log p(x) of the held-out data, against the angle: what shape has the curve?",
        options=("A peak at 0°", "A peak at the true axes", "Flat"),
        more=("rotate", {"run": "talk-vae", "view": "curve"}),
    ),
    Stop(
        "guess", 2, "Two models of the same data: which one is true?", "guess",
        "Both give every x the same density. “True” needs something besides x.",
        "Let the room vote before answering. Then press an answer.",
        r"$$\log p(x) = \log \tilde p(x) \quad \text{for every } x$$",
        more=("rotate", {"run": "talk-vae", "view": "guess"}),
    ),
    Stop(
        "diagonal", 2, "“But VAEs do give nice axes!” That is the diagonal q speaking.", "exact",
        "The bound of a diagonal q bends; the likelihood does not. The approximation chose the axes.",
        "The linear-Gaussian model, in closed form. Its favourite axes are those of PCA (Rolinek et al. 2019), "
        "wherever the factors lie.",
        r"$$\text{gap} = \tfrac12\Big[\sum_i \log (S^{-1})_{ii} + \log\det S\Big] \ge 0, \qquad S \to M S M^\top$$",
        more=("rotate", {"view": "exact"}),
    ),
    Stop(
        "any", 2, "“So use another prior!” Any factorial prior can be turned.", "any_prior",
        "A uniform prior, carried to a Gaussian, turned there and carried back: uniform again, and other latents.",
        "Watch one colour from left to right. Every test of the marginals passes; the MCC falls to .69 at 45°.",
        r"$$g = F^{-1} \circ \Phi \circ R \circ \Phi^{-1} \circ F, \qquad p(z) = p(g(z))\,|\det J_g(z)|$$",
        question="With a uniform prior a rotation would show: a turned square is no square. Is the case closed?",
        options=("Yes, solved", "No"),
        more=("any_prior", {"first": "uniform", "second": "uniform"}),
    ),
    Stop(
        "u", 3, "Now observe something besides x: an auxiliary variable u.", "world",
        "One colour a value of u. Given u, the factors are still independent, but their means and variances move.",
        "In the lab, u is the stimulus, the position, the time block. It is observed: nobody asks for the factors "
        "themselves.",
        CONDITIONAL,
        more=("data", {}),
    ),
    Stop(
        "rescue", 3, "The iVAE finds the factors; the VAE, on the same data, does not.", "four",
        "(a) the world, (b) the data, (c) iVAE, (d) VAE. (c) is (a), up to order, sign and a curve along each axis.",
        "Same nets, same loss, same noise. The only difference is the prior: p(z|u) for p(z).",
        CONDITIONAL + "\n\n**Theorem 1** (Khemakhem et al. 2020): $T^*(z^*) = A\\,T(z) + c$; for $k \\ge 2$, $A$ is a "
        "block permutation.",
        question="Same data, same nets. One model sees u, a plain VAE does not. What will the VAE's latents be?",
        options=("The factors", "The factors, turned", "Something else"),
        more=("recover", {"run": "talk-ivae"}), live="talk-ivae",
    ),
    Stop(
        "bent", 3, "With u, the angle matters: the likelihood bends.", "bent",
        "Even with the best prior refitted at every angle, turning costs likelihood, except by 90°: that only swaps.",
        "Chapter 3 in one line. Compare with the flat curve of chapter 2. What is left free is order, sign and scale.",
        r"$$\text{gap} = \mathrm{E}_u\,\tfrac12\Big[\sum_i \log (M V_u M^\top)_{ii} - \log\det V_u\Big]$$",
        question="The same curve for the iVAE, log p(x|u): what shape now?",
        options=("Flat again", "Highest at 0° and 90°", "Highest at 45°"),
        more=("rotate", {"run": "talk-ivae", "view": "curve"}),
    ),
    Stop(
        "lines", 3, "A score needs its lines: what would no model at all have scored?", "lines",
        "Diamonds: x itself, PCA, FastICA, copying u, a random rotation of the truth. A score below them says nothing.",
        "“MCC .75” in five dimensions is no better than a random rotation. Within u: what copying u could never have.",
        r"$$\mathrm{MCC} = \max_\pi \frac1n \sum_i |\mathrm{corr}(z_i, \hat z_{\pi(i)})|$$",
        question="Take the two true factors and rotate them at random. What is their mean correlation with the truth?",
        options=("About 0", "About 0.5", "About 0.9"),
        more=("recover", {"run": "talk-ivae"}),
    ),
    Stop(
        "close", 3, "What must u be like?", "close",
        "Your recording has no true factors. Compare seeds, check the conditions, and say which rung you stand on.",
        "The open question. Send the room to Agree and Conditions with their own data.",
        r"$$L = (\lambda(u^1) - \lambda(u^0), \ldots, \lambda(u^{nk}) - \lambda(u^0)) \quad \text{invertible}$$",
        more=("data", {}),
    ),
)  # fmt: skip
NAMES = tuple(stop.name for stop in STOPS)
