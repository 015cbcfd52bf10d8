"""Two-component mixture models of per-sample losses (Arazo et al. 2019, section 3.1)."""

from ml.mixture.fit import fit_mixture
from ml.mixture.model import BetaMixture, GaussianMixture, Mixture, mixture_from_dict

__all__ = ["BetaMixture", "GaussianMixture", "Mixture", "fit_mixture", "mixture_from_dict"]
