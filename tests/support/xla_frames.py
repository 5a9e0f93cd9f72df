"""XLA's calls of a handler, made by hand."""

import ctypes
from typing import Any

from eplb_xp.backends.launching import from_numpy


class Extension(ctypes.Structure):
    pass


Extension._fields_ = [
    ("size", ctypes.c_size_t),
    ("kind", ctypes.c_int32),
    ("next", ctypes.POINTER(Extension)),
    ("metadata", ctypes.c_void_p),
]


class Version(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extensions", ctypes.c_void_p),
        ("major", ctypes.c_int32),
        ("minor", ctypes.c_int32),
    ]


class Metadata(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("version", Version), ("traits", ctypes.c_uint32)]


class Api(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extensions", ctypes.c_void_p),
        ("version", Version),
        ("internal", ctypes.c_void_p),
        ("make_error", ctypes.c_void_p),
    ]


class Frame(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("extensions", ctypes.POINTER(Extension)),
        ("api", ctypes.POINTER(Api)),
        ("context", ctypes.c_void_p),
        ("stage", ctypes.c_int32),
        ("arguments", ctypes.c_int64 * 5),
        ("results", ctypes.c_int64 * 5),
        ("attributes", ctypes.c_int64 * 6),
    ]


def api(major: int, minor: int) -> Api:
    return Api(size=ctypes.sizeof(Api), version=Version(ctypes.sizeof(Version), None, major, minor))


def called(
    stage: int,
    *,
    of: Api | None,
    size: int = ctypes.sizeof(Frame),
    extension: Extension | None = None,
    step: str = "plan",
) -> Any:
    """What the handler of a step returns: the address of an error, or None."""
    frame = Frame(size=size, stage=stage)
    if of is not None:
        frame.api = ctypes.pointer(of)
    if extension is not None:
        frame.extensions = ctypes.pointer(extension)
    return _handler(step)(ctypes.byref(frame))


def version(of: Api | None, **settings: Any) -> tuple[int, int]:
    """The version that the handler says it has."""
    metadata = Metadata(size=Metadata.traits.offset + 4)
    last = Extension(ctypes.sizeof(Extension), 1, None, ctypes.addressof(metadata))
    first = Extension(ctypes.sizeof(Extension), 99, ctypes.pointer(last), None)
    assert called(0, of=of, extension=first, **settings) is None
    return metadata.version.major, metadata.version.minor


def _handler(step: str) -> Any:
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    handler = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    return handler(address(from_numpy.extension().xla_handlers()[step], None))
