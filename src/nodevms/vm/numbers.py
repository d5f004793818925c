"""The whole numbers of an entry: what a reader in JavaScript holds exactly."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

NUMBER_MAX: Final = 2**53 - 1

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
Version: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
