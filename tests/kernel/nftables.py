"""nftables in a namespace, by the library behind nft(8): a ruleset in a millisecond."""

import ctypes
import ctypes.util
from functools import cache

from hopback.lab.netns.namespace import Namespace

_JSON = 1 << 4  # NFT_CTX_OUTPUT_JSON


class NftError(Exception):
    """What the library said, and to what."""


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libnftables.so.1")
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


def has_library() -> bool:
    """Whether there is libnftables."""
    return ctypes.util.find_library("nftables") is not None


class Nftables:
    """The rulesets of one namespace."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        with space:
            self._context = ctypes.c_void_p(_library().nft_ctx_new(0))
        for name in ("output", "error"):
            getattr(_library(), f"nft_ctx_buffer_{name}")(self._context)

    def load(self, text: str) -> None:
        """``text`` instead of all that was loaded. Raises NftError if it is refused."""
        self._run(f"flush ruleset\n{text}")

    def listing(self) -> str:
        """What ``nft -j list ruleset`` prints."""
        _library().nft_ctx_output_set_flags(self._context, _JSON)
        try:
            return self._run("list ruleset")
        finally:
            _library().nft_ctx_output_set_flags(self._context, 0)

    def close(self) -> None:
        _library().nft_ctx_free(self._context)

    def _run(self, text: str) -> str:
        with self._space:
            code = _library().nft_run_cmd_from_buffer(self._context, text.encode())
        output: bytes = _library().nft_ctx_get_output_buffer(self._context)
        said: bytes = _library().nft_ctx_get_error_buffer(self._context)
        if code:
            raise NftError(f"{said.decode()}\n{text}")
        return output.decode()
