"""The maths of diffusion: noise processes, parameterizations, guidance. Pure torch, no I/O."""
