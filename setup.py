"""What pyproject.toml cannot say: in a wheel, the app is the folder disentanglement_lab, beside the library.

`pages` is too common a name for a top-level package. Streamlit puts the folder of app.py on the path, so that the pages
find each other there as they do in the repository.
"""

from setuptools import find_packages, setup

APP = "disentanglement_lab"

setup(
    packages=[
        *find_packages(include=["dvae_core*"]),
        APP,
        *(f"{APP}.{name}" for name in find_packages(include=["pages*"])),
    ],
    package_dir={APP: "."},
    package_data={
        "dvae_core": [
            "examples/**",
            "figures/*.json",
            "live/*.js",
            "live/*.css",
            "live/modes/*.js",
            "live/playground/*.js",
        ],
        APP: [".streamlit/config.toml"],
        f"{APP}.pages.ui": ["*.png"],
        f"{APP}.pages.ui.components": ["*.js", "*.css"],
    },
)
