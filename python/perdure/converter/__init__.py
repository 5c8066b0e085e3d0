"""How values travel and are stored: data converters, with payload converters and codecs."""

from perdure.converter._aes_gcm import AesGcmCodec
from perdure.converter._codec import ChainCodec, PayloadCodec
from perdure.converter._data_converter import DataConverter
from perdure.converter._frame import encoding_of
from perdure.converter._payload_converter import PayloadConverter
from perdure.converter._zlib import ZlibCodec

__all__ = [
    "AesGcmCodec",
    "ChainCodec",
    "DataConverter",
    "PayloadCodec",
    "PayloadConverter",
    "ZlibCodec",
    "encoding_of",
]
