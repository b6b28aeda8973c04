"""Chapter 1, "Just do it": what a VAE is, and that its seeds disagree."""

from pages.ui.talk import captions, demos, worked
from pages.ui.talk.slides.slide import Slide

VAE_LOSS = (
    r"$$\mathcal{L} = \underbrace{\mathrm{E}_{q_\phi(z|x)}[-\log p_\theta(x|z)]}_{\text{reconstruction}} + \beta\, "
    r"\underbrace{\mathrm{KL}(q_\phi(z|x)\,\|\,p(z))}_{\text{distance to the prior}}$$"
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
)
