"""An expert-parallel layer on several GPUs: whether balance that was predicted is time that is saved."""
