"""Pictures drawn here, with the factors that made them kept: the offline stand-in for dSprites and CelebA *with truth*.

Everything is closed-form geometry on whole arrays of pictures; a seed fixes everything.
"""

from dvae_core.data.pictures.face import draw_faces, faces
from dvae_core.data.pictures.factors import uniform_factors
from dvae_core.data.pictures.sprite import DSPRITES_SIZES, SHAPES, draw_sprites, sprites

__all__ = ["DSPRITES_SIZES", "SHAPES", "draw_faces", "draw_sprites", "faces", "sprites", "uniform_factors"]
