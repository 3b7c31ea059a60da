from typing import final

from typing_extensions import disjoint_base

@disjoint_base
class Encoder: ...

@final
class BinaryEncoder(Encoder): ...
