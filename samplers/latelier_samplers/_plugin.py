"""The built-in samplers and schedules, registered through the plugin API."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar

STOCHASTIC = {
    "dpm2_ancestral": 2,
    "dpmpp_2m_sde": 1,
    "dpmpp_2s_ancestral": 2,
    "dpmpp_3m_sde": 1,
    "dpmpp_sde": 2,
    "edm_stochastic": 2,
    "lcm": 1,
    "restart": None,
    "sa_solver": 1,
}
"""Samplers named like their modules -> calls of the model in a step; None: it varies."""


class SamplersPlugin:
    """Registers samplers under all their names, and schedules."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        ddim = "latelier_samplers.ddim:ddim"
        registrar.sampler("ddim", factory=ddim, order=1)
        registrar.sampler("euler", factory="latelier_samplers.euler:euler", order=1)
        registrar.sampler("euler_ancestral", factory=ddim, defaults={"eta": 1.0}, stochastic=True)
        registrar.sampler("ddpm", factory="latelier_samplers.ddpm:ddpm", stochastic=True)
        registrar.sampler("heun", factory="latelier_samplers.heun:heun", order=2, nfe_per_step=2)
        registrar.sampler("dpmpp_2m", factory="latelier_samplers.dpmpp_2m:dpmpp_2m", order=2)
        registrar.sampler(
            "plms", factory="latelier_samplers.plms:plms", order=2, asymptotic_order=4
        )
        registrar.sampler(
            "adaptive", factory="latelier_samplers.adaptive:adaptive", nfe_per_step=None
        )
        registrar.sampler(
            "ddim_inversion",
            factory="latelier_samplers.ddim_inversion:ddim_inversion",
            order=1,
            is_inversion=True,
        )
        registrar.sampler("deis", factory="latelier_samplers.deis:deis", order=2)
        registrar.sampler("dpm2", factory="latelier_samplers.dpm2:dpm2", order=2, nfe_per_step=2)
        registrar.sampler(
            "ipndm", factory="latelier_samplers.ipndm:ipndm", order=2, asymptotic_order=4
        )
        registrar.sampler("lms", factory="latelier_samplers.lms:lms", order=2, asymptotic_order=4)
        registrar.sampler("unipc", factory="latelier_samplers.unipc:unipc", order=3)
        for name, nfe in STOCHASTIC.items():
            factory = f"latelier_samplers.{name}:{name}"
            registrar.sampler(name, factory=factory, nfe_per_step=nfe, stochastic=True)
        exponential = "latelier_samplers.schedules.exponential:exponential"
        registrar.schedule(
            "align_your_steps",
            factory="latelier_samplers.schedules.align_your_steps:align_your_steps",
        )
        registrar.schedule("beta", factory="latelier_samplers.schedules.beta:beta")
        registrar.schedule("compvis", factory="latelier_samplers.schedules.compvis:compvis")
        registrar.schedule("cosine", factory="latelier_samplers.schedules.cosine:cosine")
        registrar.schedule("exponential", factory=exponential)
        registrar.schedule("fixed", factory="latelier_samplers.schedules.fixed:fixed")
        registrar.schedule("karras", factory="latelier_samplers.schedules.karras:karras")
        registrar.schedule("log_snr", factory=exponential)
        registrar.schedule("model", factory="latelier_samplers.schedules.model:model")
        registrar.schedule("polyexponential", factory=exponential)


plugin = SamplersPlugin()
