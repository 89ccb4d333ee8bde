import subprocess
import sys

from latelier.kernel.registrar import Registrar
from latelier_samplers._plugin import plugin


def test_all_names_are_registered():
    registrar = Registrar("latelier", "0")
    plugin.latelier_register(registrar)
    names = {
        kind: [s.name for s in registrar.specs if s.kind == kind]
        for kind in ("sampler", "schedule")
    }
    assert names["sampler"] == [
        "ddim",
        "euler",
        "heun",
        "dpm2",
        "dpmpp_2m",
        "deis",
        "unipc",
        "plms",
        "ipndm",
        "lms",
        "adaptive",
        "ddim_inversion",
        "euler_ancestral",
        "ddpm",
        "dpm2_ancestral",
        "dpmpp_2s_ancestral",
        "dpmpp_sde",
        "dpmpp_2m_sde",
        "dpmpp_3m_sde",
        "edm_stochastic",
        "sa_solver",
        "restart",
        "lcm",
    ]
    assert names["schedule"] == [
        "align_your_steps",
        "beta",
        "compvis",
        "cosine",
        "dynamic_shift",
        "exponential",
        "fixed",
        "karras",
        "log_snr",
        "model",
        "polyexponential",
    ]
    defaults = {spec.name: spec.defaults for spec in registrar.specs}
    assert defaults["euler"] == defaults["ddpm"] == {}
    assert defaults["euler_ancestral"] == {"eta": 1.0}


def test_registering_imports_no_torch():
    code = "import sys, latelier_samplers._plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
