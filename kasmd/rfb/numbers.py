"""The numbers of RFB: RFC 6143, the community's rfbproto, and KasmVNC's own."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class SecurityType(IntEnum):
    """How a viewer proves who it is (RFC 6143 section 7.2)."""

    NONE = 1
    VNC_AUTH = 2
    VENCRYPT = 19


class VeNCryptSubtype(IntEnum):
    """What runs inside VeNCrypt (rfbproto, VeNCrypt)."""

    TLS_NONE = 257
    TLS_VNC = 258
    TLS_PLAIN = 259
    X509_NONE = 260
    X509_VNC = 261
    X509_PLAIN = 262


class ClientMessage(IntEnum):
    """Message types from the viewer; 178 to 191 and 252 are KasmVNC's."""

    SET_PIXEL_FORMAT = 0
    SET_ENCODINGS = 2
    FRAMEBUFFER_UPDATE_REQUEST = 3
    KEY_EVENT = 4
    POINTER_EVENT = 5
    CLIENT_CUT_TEXT = 6
    ENABLE_CONTINUOUS_UPDATES = 150
    REQUEST_STATS = 178
    FRAME_STATS = 179
    BINARY_CLIPBOARD = 180
    UPGRADE_TO_UDP = 181
    SUBSCRIBE_UNIX_RELAY = 182
    UNIX_RELAY = 183
    VIDEO_ENCODERS = 184
    KEEP_ALIVE = 185
    DIRECT_MOUSE_EVENT = 188
    LATENCY_MEASUREMENT = 189
    NETWORK_STATS = 190
    SYSTEM_STATS = 191
    CLIENT_FENCE = 248
    SET_DESKTOP_SIZE = 251
    SET_MAX_VIDEO_RESOLUTION = 252
    QEMU = 255


class ServerMessage(IntEnum):
    """Message types to the viewer; 178 to 191, 253 and 254 are KasmVNC's."""

    FRAMEBUFFER_UPDATE = 0
    SET_COLOUR_MAP_ENTRIES = 1
    BELL = 2
    SERVER_CUT_TEXT = 3
    END_OF_CONTINUOUS_UPDATES = 150
    STATS = 178
    REQUEST_FRAME_STATS = 179
    BINARY_CLIPBOARD = 180
    UPGRADE_TO_UDP = 181
    SUBSCRIBE_UNIX_RELAY = 182
    UNIX_RELAY = 183
    VIDEO_ENCODERS = 184
    SERVER_DISCONNECT = 186
    FORCE_GAME_MODE = 187
    LATENCY_MEASUREMENT = 189
    NETWORK_STATS = 190
    SYSTEM_STATS = 191
    SERVER_FENCE = 248
    USER_ADDED_TO_SESSION = 253
    USER_REMOVED_FROM_SESSION = 254


class Encoding(IntEnum):
    """Encodings and pseudo-encodings; ranges of them are in `dialect`."""

    RAW = 0
    COPY_RECT = 1
    HEXTILE = 5
    ZLIB = 6
    TIGHT = 7
    ZRLE = 16
    KASM_VIDEO = 17
    JPEG = 21
    OPEN_H264 = 50
    DESKTOP_SIZE = -223
    LAST_RECT = -224
    CURSOR = -239
    QEMU_EXTENDED_KEY_EVENT = -258
    LED_STATE = -261
    DESKTOP_NAME = -307
    EXTENDED_DESKTOP_SIZE = -308
    FENCE = -312
    CONTINUOUS_UPDATES = -313
    CURSOR_WITH_ALPHA = -314
    EXTENDED_MOUSE_BUTTONS = -316
    VMWARE_CURSOR = 0x574D5664
    #: kasmd's own (docs/columns.rst).
    COLUMNS = 0x6B736D64
    EXTENDED_CLIPBOARD = -0x3F5E1A32
    KASM_PREFER_BANDWIDTH = -992
    KASM_WEBP = -1024
    KASM_DIRECT_MOUSE = -1884
    KASM_DISCONNECT_NOTICE = -1885
    KASM_QOI = -1886
    KASM_MAX_VIDEO_RESOLUTION = -1997


class FenceFlag(IntFlag):
    """How a fence orders messages (rfbproto, ClientFence)."""

    BLOCK_BEFORE = 1
    BLOCK_AFTER = 2
    SYNC_NEXT = 4
    REQUEST = 1 << 31


#: REQUEST as a plain number, for what is asked with many an update.
FENCE_REQUEST = int(FenceFlag.REQUEST)
#: The flags that a fence's answer may carry.
FENCE_ANSWERED = int(FenceFlag.BLOCK_BEFORE | FenceFlag.BLOCK_AFTER | FenceFlag.SYNC_NEXT)


class ClipboardFormat(IntFlag):
    """What an extended clipboard message is about (rfbproto, bits 0 to 15)."""

    TEXT = 1 << 0
    RTF = 1 << 1
    HTML = 1 << 2


class ClipboardAction(IntFlag):
    """What an extended clipboard message does (rfbproto, bits 24 to 31)."""

    CAPS = 1 << 24
    REQUEST = 1 << 25
    PEEK = 1 << 26
    NOTIFY = 1 << 27
    PROVIDE = 1 << 28


class DesktopSizeReason(IntEnum):
    """Who changed the size (rfbproto, ExtendedDesktopSize, x)."""

    SERVER = 0
    THIS_CLIENT = 1
    OTHER_CLIENT = 2


class DesktopSizeResult(IntEnum):
    """What came of SetDesktopSize (rfbproto, ExtendedDesktopSize, y)."""

    DONE = 0
    PROHIBITED = 1
    NO_RESOURCES = 2
    INVALID_LAYOUT = 3
