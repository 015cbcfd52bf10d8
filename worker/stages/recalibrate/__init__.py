"""The stage that re-calibrates an audit's probabilities by decisions."""
