"""`cnnbench train --dry-run`: the keys of `cnnbench train`, and what the run is to be tried for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cnnbench.config.fields import Range, key
from cnnbench.config.train import TrainConfig


@dataclass(frozen=True)
class DryRunConfig(TrainConfig):
    world: int | None = key(
        "processes of the run over all its machines; null: as many as `processes` says, or would be here",
        None,
        range=Range(at_least=1),
    )
    bench: str | None = key(
        "file that `cnnbench bench what=all output=NAME.json` wrote on such a machine, for the time; null: not told",
        None,
    )

    def of_training(self) -> TrainConfig:
        """The config of the run itself."""
        return TrainConfig(**{field.name: getattr(self, field.name) for field in fields(TrainConfig)})
