"""The plugin of the core: its components register through the same API as those of any plugin."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar


class CorePlugin:
    """Registers first stages, denoisers, guidance rules, importers, kinds of adapters ..."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        registrar.first_stage(
            "autoencoder_kl",
            factory="latelier.first_stages.autoencoder_kl:AutoencoderKL",
            config="latelier.first_stages.configs:AutoencoderKLConfig",
        )
        registrar.first_stage(
            "autoencoder_vq",
            factory="latelier.first_stages.autoencoder_vq:AutoencoderVQ",
            config="latelier.first_stages.configs:AutoencoderVQConfig",
        )
        registrar.first_stage(
            "identity",
            factory="latelier.first_stages.identity:Identity",
            config="latelier.first_stages.configs:IdentityConfig",
        )
        registrar.first_stage(
            "tiny",
            factory="latelier.first_stages.tiny:TinyAutoencoder",
            config="latelier.first_stages.configs:TinyAutoencoderConfig",
        )
        registrar.denoiser(
            "unet",
            factory="latelier.denoisers.unet:UNet",
            config="latelier.denoisers.configs:UNetConfig",
        )
        registrar.denoiser(
            "transformer",
            factory="latelier.denoisers.transformer:Transformer",
            config="latelier.denoisers.configs:TransformerConfig",
        )
        registrar.denoiser(
            "uvit",
            factory="latelier.denoisers.uvit:UViT",
            config="latelier.denoisers.configs:UViTConfig",
        )
        _register_guidance(registrar)
        _register_accelerations(registrar)
        registrar.importer(
            "compvis", factory="latelier.checkpoints.importers.compvis.importer:CompVis"
        )
        registrar.importer(
            "stable_diffusion",
            factory="latelier.checkpoints.importers.stable_diffusion.importer:StableDiffusion",
        )
        registrar.importer(
            "stable_diffusion_xl",
            factory="latelier.checkpoints.importers.stable_diffusion_xl.importer:StableDiffusionXL",
        )
        registrar.importer(
            "diffusers", factory="latelier.checkpoints.importers.diffusers.importer:Diffusers"
        )
        registrar.importer(
            "ip_adapter",
            factory="latelier.checkpoints.importers.ip_adapter.importer:IPAdapter",
        )
        registrar.importer("taesd", factory="latelier.checkpoints.importers.taesd:TAESD")
        registrar.adapter_kind(
            "attention",
            factory="latelier.denoisers.adapter:AttentionAdapter",
            config="latelier.denoisers.configs:AttentionAdapterConfig",
        )
        registrar.adapter_kind(
            "lora",
            factory="latelier.checkpoints.lora.lora:Lora",
            config="latelier.checkpoints.lora.configs:LoraConfig",
        )
        registrar.database("emoji", factory="latelier.data.emoji_scenes.database:emoji_database")
        _register_feature_networks(registrar)
        _register_measures(registrar)


def _register_feature_networks(registrar: Registrar) -> None:
    configs = "latelier.metrics.networks.configs"
    registrar.feature_network(
        "scenes",
        factory="latelier.metrics.networks.scenes:SceneFeatures",
        config=f"{configs}:ScenesConfig",
        summary="Compares emoji scenes by what a small detector sees in them; it ships.",
    )
    registrar.feature_network(
        "inception",
        factory="latelier.metrics.networks.inception_features:InceptionFeatures",
        config=f"{configs}:InceptionConfig",
        summary="The network of FID, with published weights from a file.",
    )


_MEASURES = (
    (
        "frechet_distance",
        "frechet_distance:FrechetDistance",
        "FrechetDistanceConfig",
        "How far pictures as a whole are from real ones: FID, with the features of its network.",
    ),
    (
        "kernel_distance",
        "kernel_distance:KernelDistance",
        "KernelDistanceConfig",
        "As the Frechet distance, and right for few pictures too: KID.",
    ),
    (
        "inception_score",
        "inception_score:InceptionScore",
        "InceptionScoreConfig",
        "How sure a classifier is of each picture, and how many classes it sees.",
    ),
    (
        "precision_recall",
        "precision_recall:PrecisionRecall",
        "PrecisionRecallConfig",
        "How many pictures look real, and how much of what is real they show.",
    ),
    (
        "density_coverage",
        "density_coverage:DensityCoverage",
        "DensityCoverageConfig",
        "As precision and recall, and less misled by rare real pictures.",
    ),
    ("psnr", "psnr:Psnr", "NoOptions", "How exactly pictures repeat the pixels of originals."),
    ("ssim", "ssim:Ssim", "NoOptions", "How far pictures repeat the structure of originals."),
    (
        "lpips",
        "lpips:LpipsDistance",
        "LpipsConfig",
        "How different pictures look from originals, with published weights from a file.",
    ),
    (
        "scene_distance",
        "scene_distance:SceneDistance",
        "NoOptions",
        "How different emoji scenes look from originals to a small detector; it ships.",
    ),
    (
        "masked_region",
        "masked_region:MaskedRegion",
        "NoOptions",
        "Whether inpainting keeps all known pixels, and how exactly it fills the hole.",
    ),
    (
        "class_accuracy",
        "class_accuracy:ClassAccuracy",
        "ClassAccuracyConfig",
        "How often a classifier sees the class that was asked for.",
    ),
    (
        "scene_objects",
        "scenes.objects:SceneObjects",
        "NoOptions",
        "Whether emoji scenes show the objects of their captions, placed as these say.",
    ),
    (
        "scene_layout",
        "scenes.layout:SceneLayout",
        "NoOptions",
        "Whether the objects of emoji scenes are in their boxes.",
    ),
    (
        "scene_map",
        "scenes.semantic_map:SceneMap",
        "NoOptions",
        "How far emoji scenes follow their semantic maps.",
    ),
    (
        "scene_background",
        "scenes.background:SceneBackground",
        "NoOptions",
        "Whether emoji scenes have the background of their captions.",
    ),
)
"""Name, factory, configuration and summary of each measure."""


def _register_measures(registrar: Registrar) -> None:
    for name, factory, config, summary in _MEASURES:
        registrar.measure(
            name,
            factory=f"latelier.evaluation.measures.{factory}",
            config=f"latelier.evaluation.measures.configs:{config}",
            summary=summary,
        )


def _register_guidance(registrar: Registrar) -> None:
    cfg = "latelier.diffusion.guidance.cfg:cfg"
    registrar.guidance(
        "cfg",
        factory=cfg,
        summary="Follows what you ask for: a higher scale more closely, and with harsher colours.",
    )
    registrar.guidance(
        "cfg_interval",
        factory=cfg,
        defaults={"interval": (0.28, 5.42)},
        summary="As cfg, but not in the first and last steps: more varied pictures in less time.",
    )
    registrar.guidance(
        "cfg_rescale",
        factory=cfg,
        defaults={"rescale": 0.7},
        summary="As cfg, and a high scale does not make the picture too bright or too dark.",
    )
    registrar.guidance(
        "dynamic_thresholding",
        factory=cfg,
        defaults={"threshold": 0.995},
        summary="As cfg, and a high scale does not burn out the colours.",
    )
    registrar.guidance(
        "apg",
        factory="latelier.diffusion.guidance.apg:apg",
        summary="Follows what you ask for at a high scale, without harsh colours.",
    )
    registrar.guidance(
        "cfgpp",
        factory="latelier.diffusion.guidance.cfgpp:cfgpp",
        summary="Gentle guidance with a scale of 0 to 1, for the samplers ddim and euler alone.",
    )
    registrar.guidance(
        "pag",
        factory="latelier.diffusion.guidance.pag:pag",
        summary="Makes shapes clearer, even without a prompt, and takes longer.",
    )
    registrar.guidance(
        "per_condition",
        factory="latelier.diffusion.guidance.per_condition:per_condition",
        summary="A strength for each input, such as a high one for the text alone.",
    )
    registrar.guidance(
        "composable",
        factory="latelier.diffusion.guidance.composable:composable",
        summary="Several prompts at once: each is shown too, or avoided.",
    )
    registrar.guidance(
        "image_guided",
        factory="latelier.diffusion.guidance.image_guided:image_guided",
        summary="Makes a picture that resembles a small one that you give.",
    )


def _register_accelerations(registrar: Registrar) -> None:
    registrar.acceleration(
        "deep_cache",
        factory="latelier.diffusion.accelerations.deep_cache:deep_cache",
        summary="Uses part of an earlier step again: faster, with slightly different details.",
    )
    registrar.acceleration(
        "token_merging",
        factory="latelier.diffusion.accelerations.token_merging:token_merging",
        summary="Treats similar areas as one: large pictures are faster, and lose a little detail.",
    )


plugin = CorePlugin()
