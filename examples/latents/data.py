"""Write the data that all adapters here read: x, u and the true factors of the talk's world, as talk.npz."""

import numpy as np

from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of

data = dataset_of(SourcesData(seed=45))
np.savez("talk.npz", x=data.x, u=data.u, z=data.z, row=np.arange(data.n))
