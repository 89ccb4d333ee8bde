"""The built-in samplers and schedules, registered through the plugin API."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar


class SamplersPlugin:
    """Registers samplers under all their names, and schedules."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        _register_deterministic(registrar)
        _register_stochastic(registrar)
        _register_schedules(registrar)


def _register_deterministic(registrar: Registrar) -> None:
    registrar.sampler(
        "ddim",
        factory="latelier_samplers.ddim:ddim",
        order=1,
        summary="Steady with strong guidance and few steps; most published models come with it.",
    )
    registrar.sampler(
        "euler",
        factory="latelier_samplers.euler:euler",
        order=1,
        summary="The simplest method: quick and predictable, a little soft if there are few steps.",
    )
    registrar.sampler(
        "heun",
        factory="latelier_samplers.heun:heun",
        order=2,
        nfe_per_step=2,
        summary="Careful steps that take twice as long: closer to the ideal picture.",
    )
    registrar.sampler(
        "dpm2",
        factory="latelier_samplers.dpm2:dpm2",
        order=2,
        nfe_per_step=2,
        summary="Looks twice in each step: slower, and closer to the ideal picture.",
    )
    registrar.sampler(
        "dpmpp_2m",
        factory="latelier_samplers.dpmpp_2m:dpmpp_2m",
        order=2,
        summary="Fast and steady: good pictures from about 20 steps, and a good first choice.",
    )
    registrar.sampler(
        "deis",
        factory="latelier_samplers.deis:deis",
        order=2,
        summary="Builds on earlier steps: good pictures from few steps, also with strong guidance.",
    )
    registrar.sampler(
        "unipc",
        factory="latelier_samplers.unipc:unipc",
        order=3,
        summary="Corrects each step afterwards, at no cost: good pictures from few steps.",
    )
    registrar.sampler(
        "plms",
        factory="latelier_samplers.plms:plms",
        order=2,
        asymptotic_order=4,
        summary="An older method for 50 steps or so; rough with few steps and strong guidance.",
    )
    registrar.sampler(
        "ipndm",
        factory="latelier_samplers.ipndm:ipndm",
        order=2,
        asymptotic_order=4,
        summary="Very exact where guidance is weak; rough with few steps and strong guidance.",
    )
    registrar.sampler(
        "lms",
        factory="latelier_samplers.lms:lms",
        order=2,
        asymptotic_order=4,
        summary="An older method for many steps and weak guidance.",
    )
    registrar.sampler(
        "adaptive",
        factory="latelier_samplers.adaptive:adaptive",
        nfe_per_step=None,
        summary="Takes as long as each picture needs to be nearly exact; for comparisons.",
    )
    registrar.sampler(
        "ddim_inversion",
        factory="latelier_samplers.ddim_inversion:ddim_inversion",
        order=1,
        is_inversion=True,
        summary="Goes backwards, from a picture to the noise it comes from; makes no pictures.",
    )


def _register_stochastic(registrar: Registrar) -> None:
    registrar.sampler(
        "euler_ancestral",
        factory="latelier_samplers.ddim:ddim",
        defaults={"eta": 1.0},
        stochastic=True,
        summary="New noise in each step: lively pictures, which change with the number of steps.",
    )
    registrar.sampler(
        "ddpm",
        factory="latelier_samplers.ddpm:ddpm",
        stochastic=True,
        summary="The original method: new noise in each step, and good from 100 steps or so.",
    )
    registrar.sampler(
        "dpm2_ancestral",
        factory="latelier_samplers.dpm2_ancestral:dpm2_ancestral",
        nfe_per_step=2,
        stochastic=True,
        summary="Looks twice in each step and adds new noise: lively pictures at twice the time.",
    )
    registrar.sampler(
        "dpmpp_2s_ancestral",
        factory="latelier_samplers.dpmpp_2s_ancestral:dpmpp_2s_ancestral",
        nfe_per_step=2,
        stochastic=True,
        summary="Careful steps with new noise: lively pictures at twice the time.",
    )
    registrar.sampler(
        "dpmpp_sde",
        factory="latelier_samplers.dpmpp_sde:dpmpp_sde",
        nfe_per_step=2,
        stochastic=True,
        summary="New noise in careful steps: rich detail from few steps, at twice the time.",
    )
    registrar.sampler(
        "dpmpp_2m_sde",
        factory="latelier_samplers.dpmpp_2m_sde:dpmpp_2m_sde",
        stochastic=True,
        summary="As dpmpp_2m with new noise in each step: richer detail, and needs more steps.",
    )
    registrar.sampler(
        "dpmpp_3m_sde",
        factory="latelier_samplers.dpmpp_3m_sde:dpmpp_3m_sde",
        stochastic=True,
        summary="New noise in each step, for many steps: smooth areas and rich detail.",
    )
    registrar.sampler(
        "edm_stochastic",
        factory="latelier_samplers.edm_stochastic:edm_stochastic",
        nfe_per_step=2,
        stochastic=True,
        summary="Adds a little noise and removes it again, to mend mistakes; for many steps.",
    )
    registrar.sampler(
        "sa_solver",
        factory="latelier_samplers.sa_solver:sa_solver",
        stochastic=True,
        summary="New noise, and builds on earlier steps: rich detail without many steps.",
    )
    registrar.sampler(
        "restart",
        factory="latelier_samplers.restart:restart",
        nfe_per_step=None,
        stochastic=True,
        summary="Goes back and draws parts of the run again, to mend mistakes: slow and detailed.",
    )
    registrar.sampler(
        "lcm",
        factory="latelier_samplers.lcm:lcm",
        stochastic=True,
        summary="For models that are trained to need 1 to 8 steps; others become blurred.",
    )


def _register_schedules(registrar: Registrar) -> None:
    registrar.schedule(
        "align_your_steps",
        factory="latelier_samplers.schedules.align_your_steps:align_your_steps",
        summary="Steps that were tuned for Stable Diffusion 1, to need only about 10 of them.",
    )
    registrar.schedule(
        "beta",
        factory="latelier_samplers.schedules.beta:beta",
        summary="More steps for the first shapes and for the last detail, fewer between.",
    )
    registrar.schedule(
        "compvis",
        factory="latelier_samplers.schedules.compvis:compvis",
        summary="As in the code of the first published models, to make their pictures again.",
    )
    registrar.schedule(
        "cosine",
        factory="latelier_samplers.schedules.cosine:cosine",
        summary="Spends most of the steps in the middle, where shapes become things.",
    )
    registrar.schedule(
        "dynamic_shift",
        factory="latelier_samplers.schedules.dynamic_shift:dynamic_shift",
        summary="For models like FLUX: the larger the picture, the more steps for rough shapes.",
    )
    registrar.schedule(
        "exponential",
        factory="latelier_samplers.schedules.exponential:exponential",
        summary="Shares the steps out evenly between rough shapes and fine detail.",
    )
    registrar.schedule(
        "fixed",
        factory="latelier_samplers.schedules.fixed:fixed",
        summary="A list of noise levels of your own, such as one that was tuned for this model.",
    )
    registrar.schedule(
        "karras",
        factory="latelier_samplers.schedules.karras:karras",
        summary="More steps for fine detail: a good first choice.",
    )
    registrar.schedule(
        "log_snr",
        factory="latelier_samplers.schedules.exponential:exponential",
        summary="Another name of exponential.",
    )
    registrar.schedule(
        "model",
        factory="latelier_samplers.schedules.model:model",
        summary="The steps that the model was trained with: the safest choice.",
    )
    registrar.schedule(
        "polyexponential",
        factory="latelier_samplers.schedules.exponential:exponential",
        summary="Another name of exponential.",
    )


plugin = SamplersPlugin()
