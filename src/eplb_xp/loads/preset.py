"""What a preset says about a model's loads."""

from dataclasses import dataclass

import numpy as np

from eplb_xp.loads.statistics import Statistics
from eplb_xp.loads.traffic import Day, Requests, Traffic, Visits
from eplb_xp.sizes import check_integer, check_multiple, check_number


@dataclass(frozen=True)
class Preset:
    """How the loads of a model are generated; `PRESETS` has the named ones, ``dataclasses.replace`` makes variants.

    An expert's popularity is drawn once for each layer: lognormal or gamma over the experts, in the first layers
    flatter, some experts nearly dead, whole groups perhaps more popular than others. Domains shift its logarithm, one
    domain after another, or as ``traffic`` has them; drift moves it from step to step. Counts are multinomial. A token
    goes to top_k different experts, so an expert has at most the tokens of the step; what popularity gives it beyond
    goes to the others.

    Parameters
    ----------
    model : str
        What it is like, for titles.
    layers, experts, top_k : int
        MoE layers, logical experts of a layer, experts that a token goes to.
    tokens : int
        Tokens of a step, over all GPUs; each counts top_k times in every layer.
    sigma : float, optional
        Lognormal popularity: standard deviation of its logarithm within a layer, group offsets included.
    shape : float, optional
        Gamma popularity: its shape. One of the two must be given.
    first_layer : float
        Spread of the first layer, as a share of that of the deep layers.
    ramp_layers : int
        Layers over which the spread grows, evenly, to its full size.
    nearly_dead : float
        Share of the experts that get a fiftieth of the load they would have had.
    groups : int
        Groups of experts that routing picks together.
    group_offsets : tuple of floats
        Logarithm of each group's popularity; empty for groups that are alike. For lognormal popularity.
    drift, drift_correlation : float
        Standard deviation of the logarithm's drift, and its correlation from one step to the next (AR(1)).
    domains, domain_steps : int
        Domains come in turn, over and over, each for so many steps.
    domain_sd : float
        Standard deviation of the logarithm between domains.
    traffic : Visits, Requests or Day, optional
        How domains come otherwise than in turn.
    claims : Statistics, optional
        What `statistics` finds in loads of the preset over ``round_steps`` steps: the busiest within 20 %, the
        coefficient of variation within 10 %, the step correlation within 0.02, for every seed from 0 to 39. A variant
        has claims of its own, or none.

    Raises
    ------
    TypeError, ValueError
        Where a field has the wrong type or is out of its range, or fields don't go together.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from eplb_xp import loads
    >>> two_domains = replace(loads.PRESETS["kimi-k2"], domains=2, domain_steps=50, domain_sd=0.6, claims=None)
    >>> loads.generate(two_domains, steps=100).shape
    (100, 60, 384)
    """

    model: str
    layers: int
    experts: int
    top_k: int
    tokens: int
    sigma: float | None = None
    shape: float | None = None
    first_layer: float = 1.0
    ramp_layers: int = 1
    nearly_dead: float = 0.0
    groups: int = 1
    group_offsets: tuple[float, ...] = ()
    drift: float = 0.0
    drift_correlation: float = 0.0
    domains: int = 1
    domain_steps: int = 1
    domain_sd: float = 0.0
    traffic: Traffic | None = None
    claims: Statistics | None = None

    def __post_init__(self) -> None:
        for name in ("layers", "experts", "top_k", "tokens", "ramp_layers", "groups", "domains", "domain_steps"):
            check_integer(name, getattr(self, name))
        if self.top_k >= self.experts:
            raise ValueError(f"top_k must be less than experts, got {self.top_k} of {self.experts}")
        check_multiple("experts", self.experts, "groups", self.groups, at_most=self.experts + self.groups)
        if (self.sigma is None) == (self.shape is None):
            raise ValueError(f"either sigma or shape must be given, got sigma={self.sigma}, shape={self.shape}")
        for name, least, most in (
            ("sigma", 0, 10),
            ("shape", 0.01, 1e6),
            ("first_layer", 0.01, 1),
            ("nearly_dead", 0, 0.9),
            ("drift", 0, 10),
            ("drift_correlation", -1, 1),
            ("domain_sd", 0, 10),
        ):
            value = getattr(self, name)
            if value is not None:  # the one of sigma and shape that is not given
                check_number(name, value, least, most)
        self._check_offsets()
        if not isinstance(self.traffic, Visits | Requests | Day | None):
            raise TypeError(f"traffic must be Visits, Requests, a Day or None, got {self.traffic!r}")
        if self.traffic is not None:
            self.traffic.check(self.domains)

    def _check_offsets(self) -> None:
        if not self.group_offsets:
            return
        if len(self.group_offsets) != self.groups:
            raise ValueError(f"group_offsets must be as many as groups, got {len(self.group_offsets)} of {self.groups}")
        for offset in self.group_offsets:
            check_number("group_offsets", offset, -10, 10)
        least = float(np.std(self.group_offsets))
        if self.sigma is None or self.sigma < least:
            raise ValueError(f"group_offsets need a sigma of at least their own {least:.3f}, got {self.sigma}")

    @property
    def round_steps(self) -> int:
        """Steps in which every domain has its turn and traffic goes round, at least 32."""
        traffic = 0 if self.traffic is None else self.traffic.round_steps()
        return max(32, self.domains * self.domain_steps, traffic)
