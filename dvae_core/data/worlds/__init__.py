"""Data that is drawn here or comes with a package, with its true factors where there are any: no file, no download.

A new one is a file like its neighbours, with its settings, its drawing and its `WORLD`, and two lines below.
"""

from dvae_core.data.worlds import digits, faces, neurons, sources, sprites
from dvae_core.data.worlds.digits import DigitsData
from dvae_core.data.worlds.faces import FacesData
from dvae_core.data.worlds.neurons import NeuronsData
from dvae_core.data.worlds.sources import SourcesData
from dvae_core.data.worlds.sprites import SpritesData

Drawn = SourcesData | NeuronsData | SpritesData | FacesData | DigitsData
WORLDS = {module.WORLD.name: module.WORLD for module in (sources, neurons, sprites, faces, digits)}
