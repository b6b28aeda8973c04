"""Every page and the line at its top, for the tests that visit all of them."""

HEADLINES = {
    "start": "What can a latent-variable model know?",
    "playground": "Do eight seeds find the same latents?",
    "data": "Data",
    "train": "Train a population",
    "traverse": "Drag the latents",
    "rotate": "Rotate the latents",
    "any_prior": "Any prior",
    "recover": "Recovered and true",
    "agree": "Do the seeds agree?",
    "conditions": "Does the theorem hold here?",
    "bend": "What bends the curve?",
    "study": "Run a study",
    "runs": "Runs",
}
