"""Registers everything here through the door; imports no torch."""

from latelier import hookimpl

BEADS = [
    "beads",
    "wrong_width",
    "drops_doubles",
    "batch_second",
    "constant",
    "fixed_length",
    "ignores_mask",
    "inverts_mask",
    "not_a_number",
    "normalises_over_batch",
    "null_of_the_last",
    "null_of_another_slot",
    "null_that_counts",
    "scales_its_cache",
    "shares_a_scratch",
    "differs_each_time",
    "uses_global_state",
    "draws_in_prepare",
    "augments_by_global_state",
    "null_on_cpu",
    "null_in_float32",
    "plain_attribute",
    "without_gradient",
    "prepares_with_weights",
    "writes_home",
    "opens_socket",
    "starts_process",
    "cuts_off",
    "naked_error",
    "window_dims",
    "reuses_its_output",
    "prepares_names",
]
CONFIGS = {
    "lax_config": "LaxConfig",
    "mute_config": "MuteConfig",
    "forgetful_config": "ForgetfulConfig",
    "promising_config": "PromisingConfig",
}
INPUTS = {"cuts_off": "EndlessBeads", "naked_error": "EndlessBeads"}
FAULTY_INPUTS = {
    "lax_input": "LaxBeads",
    "mute_input": "MuteBeads",
    "forgetful_input": "ForgetfulBeads",
    "opens_files": "OpeningBeads",
    "tells_of_files": "TellingBeads",
}
TILES = ["tile", "box_as_size", "corners_as_size"]
PLANES = ["plane", "output_size", "straight_alpha"]


ORDERED = {"order": 1}
SAMPLERS = {
    "euler": ORDERED,
    "heun": {"order": 2, "nfe_per_step": 2},
    "midpoint": {"order": 2, "nfe_per_step": 2},
    "ancestral": {"stochastic": True},
    "calls_twice": ORDERED,
    "at_sigma_0": {"order": 1, "nfe_per_step": 2},
    "tells_where_it_was": ORDERED,
    "one_step_too_few": {},
    "looks_before_it_is_asked": ORDERED,
    "works_in_place": ORDERED,
    "adams": {"order": 3},
    "nan_preview": ORDERED,
    "single_precision": {},
    "collapses": {},
    "over_the_batch": {},
    "keeps_in_module": {},
    "noise_of_its_own": {},
    "undeclared_noise": {},
    "mute_option": ORDERED,
    "needed_option": ORDERED,
    "any_option": ORDERED,
}
SCHEDULES = [
    "geometric",
    "not_decreasing",
    "one_too_many",
    "tensors",
    "beyond",
    "other_frame",
    "another_each_time",
    "fits_nothing",
    "asks_in_vain",
    "naked_error",
    "zero_steps",
]
GUIDANCES = [
    "extrapolated",
    "both_at_1",
    "other_precision",
    "nan_at_the_end",
    "does_nothing",
    "forgets_the_size",
    "of_the_batch",
    "one_sigma",
    "keeps_momentum",
    "in_place",
    "dithers",
]
ACCELERATIONS = [
    "skips",
    "always_double",
    "infinite_at_the_end",
    "never_exact",
    "always_exact",
    "centres_the_batch",
    "forgets_the_condition",
    "one_number",
    "in_the_module",
    "counts_calls",
    "loses_controls",
    "undivided",
    "scales_in_place",
    "jitters",
    "any_denoiser",
]
FIRST_STAGES = {
    "blocks": "Blocks",
    "forgets_its_scale": "ForgetsItsScale",
    "zero_to_one": "ZeroToOne",
    "boasting": "Boasting",
    "crops_the_edge": "CropsTheEdge",
    "of_the_batch_stage": "OfTheBatch",
    "same": "Same",
    "decodes_detached": "DecodesDetached",
    "takes_anything": "TakesAnything",
    "completing": "Completing",
    "sees_tiles": "SeesTiles",
    "takes_any_known": "TakesAnyKnown",
}
FIRST_STAGE_CONFIGS = {
    "boasting": "BoastingConfig",
    **dict.fromkeys(("completing", "sees_tiles", "takes_any_known"), "CompletingConfig"),
}
DENOISERS = [
    "mixer",
    "absent_has_a_bias",
    "sees_masked",
    "nan_backward",
    "deaf_to_the_label",
    "twice_the_channels",
    "mean_of_the_batch",
    "ignores_the_unknown",
    "ignores_controls",
    "stateless",
]
UNETS = ["ignores_the_wrapper", "ignores_the_branch"]
IMPORTERS = [
    "notes",
    "notes_alone",
    "recognizes_nothing",
    "reads_to_recognize",
    "greedy",
    "twin",
    "half_read",
    "without_a_process",
    "feeds_nothing",
    "remembers",
    "key_errors",
    "fetches",
    "converts",
    "caches",
]

ATTENTION_ADAPTERS = [
    "resampler",
    "wrong_width_adapter",
    "sees_masked_adapter",
    "ignores_the_tokens",
]
RESIDUAL_ADAPTERS = [
    "sketch",
    "another_block",
    "acts_without_a_hint",
    "ignores_the_hint",
    "mean_of_the_batch_adapter",
    "changes_t",
    "fits_all",
]
WEIGHT_ADAPTERS = [
    "plain",
    "misaddressed",
    "not_finite",
    "changes_weights",
    "writes_half",
    "recognizes_all",
    "takes_any_model",
    "naked_file_error",
]
FEATURE_NETWORKS = [
    "shades",
    "nameless",
    "double_precision",
    "width_of_the_tiles",
    "log_of_zero",
    "with_gradients",
    "flickers",
    "seeds_all",
    "of_the_batch_network",
    "moving_mean",
    "blind",
    "one_identity",
    "takes_floats",
    "downloads",
    "keeps_pictures",
]
MEASURES = [
    "contrast",
    "lists_needs",
    "needs_without_word",
    "lists_numbers",
    "centres_the_rows",
    "wipes_pictures",
    "changes_figures",
    "seeds_the_run",
    "mean_of_means",
    "untitled",
    "swaps_ends",
]


def class_of(name):
    return name.title().replace("_", "")


class MutantsPlugin:
    @hookimpl
    def latelier_register(self, registrar):
        for name in BEADS:
            conditioner(registrar, name, input_=INPUTS.get(name, "Beads"))
        for name, config in CONFIGS.items():
            conditioner(registrar, name, "Beads", config)
        for name, input_ in FAULTY_INPUTS.items():
            conditioner(registrar, name, input_=input_)
        conditioner(registrar, "other_input", "Beads", input_="OtherBeads")
        conditioner(registrar, "torch_inputs", "Beads", module="torch_inputs")
        for name in TILES:
            conditioner(registrar, name, config="TileConfig", input_="Tile")
        for name in PLANES:
            conditioner(registrar, name, config="PlaneConfig", input_="Plane")
        for name, traits in SAMPLERS.items():
            registrar.sampler(name, factory=f"latelier_mutants.samplers:{name}", **traits)
        registrar.sampler(
            "wrong_main_order",
            factory="latelier_mutants.samplers:euler",
            order=1,
            asymptotic_order=2,
        )
        for name in RESIDUAL_ADAPTERS:
            registrar.adapter_kind(
                name,
                factory=f"latelier_mutants.adapters:{class_of(name)}",
                config=f"latelier_mutants.adapter_configs:"
                f"{'FitsAll' if name == 'fits_all' else 'Sketch'}Config",
            )
        for name in (*ATTENTION_ADAPTERS, *WEIGHT_ADAPTERS):
            registrar.adapter_kind(
                name,
                factory=f"latelier_mutants.adapters:{class_of(name)}",
                config="latelier.denoisers.configs:AttentionAdapterConfig"
                if name in ATTENTION_ADAPTERS
                else "latelier.checkpoints.lora.configs:LoraConfig",
            )
        for name in SCHEDULES:
            factory = f"latelier_mutants.schedules:{name}"
            registrar.schedule(f"schedule_{name}", factory=factory)
        for name in GUIDANCES:
            registrar.guidance(name, factory=f"latelier_mutants.guidances:{name}")
        for name in ACCELERATIONS:
            registrar.acceleration(name, factory=f"latelier_mutants.accelerations:{name}")
        for name, factory in FIRST_STAGES.items():
            config = FIRST_STAGE_CONFIGS.get(name, "BlocksConfig")
            registrar.first_stage(
                name,
                factory=f"latelier_mutants.first_stages:{factory}",
                config=f"latelier_mutants.model_configs:{config}",
            )
        for name in DENOISERS:
            registrar.denoiser(
                name,
                factory=f"latelier_mutants.denoisers:{class_of(name)}",
                config="latelier_mutants.model_configs:MixerConfig",
            )
        for name in UNETS:
            registrar.denoiser(
                name,
                factory=f"latelier_mutants.denoisers:{class_of(name)}",
                config="latelier.denoisers.configs:UNetConfig",
            )
        for name in IMPORTERS:
            registrar.importer(name, factory=f"latelier_mutants.importers:{class_of(name)}")
        for register, module, names in (
            (registrar.feature_network, "feature_networks", FEATURE_NETWORKS),
            (registrar.measure, "measures", MEASURES),
        ):
            for name in names:
                register(
                    name,
                    factory=f"latelier_mutants.{module}:{class_of(name)}",
                    config="latelier_mutants.model_configs:TilesConfig",
                )


def conditioner(
    registrar, name, factory=None, config="BeadsConfig", input_="Beads", module="inputs"
):
    registrar.conditioner(
        name,
        factory=f"latelier_mutants.conditioners:{factory or class_of(name)}",
        config=f"latelier_mutants.{module}:{config}",
        input=f"latelier_mutants.{module}:{input_}",
    )


plugin = MutantsPlugin()
