from typing import final

from fastws._core.encode import Encoder

@final
class JsonEncoder(Encoder): ...
