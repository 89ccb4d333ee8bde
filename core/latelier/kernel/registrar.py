"""What `latelier_register` of a plugin receives: it collects the plugin's components."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import PluginError
from latelier.contracts.frozen import validate
from latelier.kernel.spec import ComponentSpec, Kind


class Registrar:
    """Collects the components of one plugin. Import strings read 'package.module:attribute'.

    The `summary` of a sampler, a schedule, a guidance rule or an acceleration is one sentence for
    people who know nothing of diffusion: what it does to the picture, and when to use it. Lists and
    forms show it; without one they show the first line of the documentation. That of a measure or a
    feature network says what it tells of pictures.

    Attributes:
        plugin: the plugin's id, for warnings.
        specs: the components so far.
    """

    def __init__(self, distribution: str, version: str, plugin: str | None = None) -> None:
        self.plugin = plugin or distribution
        self.specs: list[ComponentSpec] = []
        self._distribution = distribution
        self._version = version

    def first_stage(self, name: str, *, factory: str, config: str) -> None:
        """Register a first stage (see `latelier.contracts.components.FirstStage`)."""
        self._add("first_stage", name, factory=factory, config=config)

    def denoiser(self, name: str, *, factory: str, config: str) -> None:
        """Register a denoiser (see `latelier.contracts.components.Denoiser`)."""
        self._add("denoiser", name, factory=factory, config=config)

    def conditioner(
        self,
        name: str,
        *,
        factory: str,
        config: str,
        input: str,  # noqa: A002
        widget: str | None = None,
    ) -> None:
        """Register a conditioner (see `latelier.contracts.conditioner.Conditioner`).

        The modules of `config` and `input` must not import torch: schemas, forms and validation
        load only them. `widget`, 'package:file.js', is an ES module with which a page edits inputs
        whose JSON schema has the same `format`.
        """
        self._add("conditioner", name, factory=factory, config=config, input=input, widget=widget)

    def sampler(
        self,
        name: str,
        *,
        factory: str,
        defaults: Mapping[str, Any] | None = None,
        order: int | None = None,
        asymptotic_order: int | None = None,
        nfe_per_step: int | None = 1,
        stochastic: bool = False,
        is_inversion: bool = False,
        summary: str = "",
    ) -> None:
        """Register a sampler (see `latelier.contracts.sampling.Sampler`).

        Args:
            name: of the sampler.
            factory: import string of the generator function.
            defaults: options of the function under this name.
            order: global order of accuracy as implemented, its start included; None: not declared.
            asymptotic_order: order of its main step if the steps before it were exact; None: the
                same as `order`.
            nfe_per_step: evaluations of the model in a step, in general; None: it varies.
            stochastic: whether it draws noise under these defaults.
            is_inversion: whether it goes from a picture to its noise: from the last sigma to the
                first.
            summary: what it does to the picture, in plain words.
        """
        traits = {
            "order": order,
            "asymptotic_order": asymptotic_order,
            "nfe_per_step": nfe_per_step,
            "stochastic": stochastic,
            "is_inversion": is_inversion,
        }
        self._add(
            "sampler",
            name,
            factory=factory,
            defaults=defaults or {},
            traits=traits,
            summary=summary,
        )

    def schedule(
        self,
        name: str,
        *,
        factory: str,
        defaults: Mapping[str, Any] | None = None,
        summary: str = "",
    ) -> None:
        """Register a schedule (see `latelier.contracts.sampling.Schedule`)."""
        self._add("schedule", name, factory=factory, defaults=defaults or {}, summary=summary)

    def guidance(
        self,
        name: str,
        *,
        factory: str,
        defaults: Mapping[str, Any] | None = None,
        summary: str = "",
    ) -> None:
        """Register a guidance rule (see `latelier.contracts.sampling.Guidance`)."""
        self._add("guidance", name, factory=factory, defaults=defaults or {}, summary=summary)

    def acceleration(
        self,
        name: str,
        *,
        factory: str,
        defaults: Mapping[str, Any] | None = None,
        summary: str = "",
    ) -> None:
        """Register an acceleration (see `latelier.contracts.sampling.Acceleration`)."""
        self._add("acceleration", name, factory=factory, defaults=defaults or {}, summary=summary)

    def importer(self, name: str, *, factory: str) -> None:
        """Register an importer (see `latelier.contracts.importing.Importer`), a class."""
        self._add("importer", name, factory=factory)

    def adapter_kind(self, name: str, *, factory: str, config: str) -> None:
        """Register a kind of adapter (see `latelier.contracts.adapters`)."""
        self._add("adapter_kind", name, factory=factory, config=config)

    def adapter(self, name: str, *, folder: str) -> None:
        """Register an adapter: a folder from `latelier train adapter`, shipped in a package.

        `folder` reads 'package:folder'. It is data: it is found without an import. Adapters for
        denoisers of several shapes have a name each.
        """
        self._add("adapter", name, folder=folder)

    def database(self, name: str, *, factory: str | None = None, folder: str | None = None) -> None:
        """Register a database of pictures (see `latelier.contracts.databases.Database`).

        `factory` makes it, without arguments; or `folder`, 'package:folder', has its pictures.
        """
        self._add("database", name, factory=factory, folder=folder)

    def feature_network(self, name: str, *, factory: str, config: str, summary: str = "") -> None:
        """Register a feature network (see `latelier.contracts.features.FeatureNetwork`).

        `factory` makes it of a `config`, whose module must not import torch.
        """
        self._add("feature_network", name, factory=factory, config=config, summary=summary)

    def measure(self, name: str, *, factory: str, config: str, summary: str = "") -> None:
        """Register a measure of pictures (see `latelier.contracts.measures.Measure`).

        `factory` makes it of a `config`, whose module must not import torch.
        """
        self._add("measure", name, factory=factory, config=config, summary=summary)

    def _add(self, kind: Kind, name: str, **fields: Any) -> None:
        owner = {"distribution": self._distribution, "version": self._version}
        values = {"kind": kind, "name": name, **owner, **fields}
        spec = validate(ComponentSpec, values, f"{kind} '{name}'", PluginError)
        if any(other.kind == kind and other.name == name for other in self.specs):
            raise PluginError(f"{kind} '{name}' is registered twice")
        self.specs.append(spec)
