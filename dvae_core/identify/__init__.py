"""Non-identifiability made concrete: models with different latents that no observation can distinguish.

| module | holds |
|---|---|
| `matrices` | orthogonal matrices: rotations, reflections, products, and how far from orthogonal a matrix is |
| `rotation` | the rotated twin of a trained model (the one module here that imports torch) |
| `linear_gaussian` | the exact model x = W z + b + noise: every curve against the angle in closed form |
| `any_prior` | any factorial prior carried to a Gaussian, rotated, and carried back |
| `marginals` | continuous marginals with their distribution functions, for `any_prior` |
| `darmois` | the Darmois construction: independent components of any two columns |
| `bend` | what an idea without u is worth: the nats that a turn of the axes costs, in closed form or by quadrature |
| `straight` | a straight world x = A s, unmixed by PCA and FastICA, and what makes that fail |
| `unmixing` | linear ICA in two dimensions: whitened data turned until its components share no information |
| `evidence` | p(x) as an integral over z, in a world small enough to know it exactly |
| `readout` | what a downstream task notices of a rotation |
| `independence` | HSIC with a permutation p-value |
| `effect` | the effect of u on held-out latents, each number with the value that noise alone gives |
| `conditions` | the theorem's four conditions as lights, the matrix L, codes that only repeat u |
| `noise` | condition 1: what the noise removes from x, and two densities that some noise makes equal |
| `two_sample` | the energy test between z and M z' |
"""
