# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Perception: does the likelihood of image patches see an illusion?"""

from tfp_glow.analysis.perception.curves import likelihood_curve
from tfp_glow.analysis.perception.curves import LikelihoodCurve
from tfp_glow.analysis.perception.enhance import enhance
from tfp_glow.analysis.perception.enhance import Enhanced
from tfp_glow.analysis.perception.images import read_image
from tfp_glow.analysis.perception.images import read_mask
from tfp_glow.analysis.perception.maps import likelihood_map
from tfp_glow.analysis.perception.maps import LikelihoodMap
from tfp_glow.analysis.perception.match import Match
from tfp_glow.analysis.perception.match import match_percentile
from tfp_glow.analysis.perception.patches import Patch
from tfp_glow.analysis.perception.ranks import compare
from tfp_glow.analysis.perception.ranks import Comparison
from tfp_glow.analysis.perception.ranks import percentile_rank
from tfp_glow.analysis.perception.ranks import PercentileRank
from tfp_glow.analysis.perception.report import write as write_report
from tfp_glow.analysis.perception.stimuli import ILLUSIONS
from tfp_glow.analysis.perception.stimuli import local_contrast
from tfp_glow.analysis.perception.stimuli import Stimulus
