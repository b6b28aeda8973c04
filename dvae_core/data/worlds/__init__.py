"""Data drawn here or contained in an installed package, with true factors if there are any: no file, no download.

To add a world, write a file like the others, with its settings, its drawing and its `WORLD`, and add two lines below.
"""

from dvae_core.data.worlds import digits, faces, memories, neurons, sources, sprites, track
from dvae_core.data.worlds.digits import DigitsData
from dvae_core.data.worlds.faces import FacesData
from dvae_core.data.worlds.memories import MemoriesData
from dvae_core.data.worlds.neurons import NeuronsData
from dvae_core.data.worlds.sources import SourcesData
from dvae_core.data.worlds.sprites import SpritesData
from dvae_core.data.worlds.track import TrackData

Drawn = SourcesData | NeuronsData | MemoriesData | SpritesData | FacesData | DigitsData | TrackData
WORLDS = {module.WORLD.name: module.WORLD for module in (sources, neurons, memories, sprites, faces, digits, track)}
