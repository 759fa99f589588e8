"""Small changes to a text encoder: low-rank weights that are folded in, and a projection read off its tokens.

An adapter of two megabytes makes an encoder of ninety attentive to what it was not trained for, and costs nothing
when it runs: the changes are added to the weights once (LoRA, arXiv 2106.09685).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from resources.errors import ModelStoreError

__all__ = ["EncoderAdapter"]


@dataclass(frozen=True)
class EncoderAdapter:
    """Changes to the transformer of one encoder; arrays are float32.

    Attributes:
        low_rank: name of a linear module to (down (rank, in), up (out, rank)); up @ down is added to its weight.
        replaced: name of a parameter to its value.
        projection: (projected, hidden), applied to each token of the last layer.
        projection_offset: (projected,).
    """

    low_rank: Mapping[str, tuple[np.ndarray, np.ndarray]]
    replaced: Mapping[str, np.ndarray]
    projection: np.ndarray
    projection_offset: np.ndarray

    def fold_into(self, transformer: Any) -> None:
        """Change the weights of a transformer (a torch module) in place.

        Raises:
            ModelStoreError: the adapter was made for another encoder.
        """
        import torch

        parameters = dict(transformer.named_parameters())
        try:
            with torch.no_grad():
                for name, (down, up) in self.low_rank.items():
                    weight = parameters[f"{name}.weight"]
                    weight += torch.from_numpy(up @ down).to(weight)
                for name, value in self.replaced.items():
                    parameters[name].copy_(torch.from_numpy(value).to(parameters[name]))
        except (KeyError, RuntimeError) as error:
            raise ModelStoreError(
                f"The classifier's adapter does not fit this encoder ({type(error).__name__}: {error}): use the encoder "
                "that it was made for, or materialise safety_classifier again."
            ) from error

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything by name, for a file; :meth:`from_arrays` reads it again."""
        found = {"projection": self.projection, "projection_offset": self.projection_offset}
        for name, (down, up) in self.low_rank.items():
            found |= {f"down.{name}": down, f"up.{name}": up}
        return found | {f"replaced.{name}": value for name, value in self.replaced.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> EncoderAdapter:
        """What :meth:`arrays` gave, in any float type.

        Raises:
            KeyError: something is missing.
        """
        wide = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
        names = [name.removeprefix("down.") for name in wide if name.startswith("down.")]
        return cls(
            low_rank={name: (wide[f"down.{name}"], wide[f"up.{name}"]) for name in names},
            replaced={
                name.removeprefix("replaced."): value
                for name, value in wide.items()
                if name.startswith("replaced.")
            },
            projection=wide["projection"],
            projection_offset=wide["projection_offset"],
        )
