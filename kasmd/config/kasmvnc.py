"""KasmVNC's keys that this version of kasmd does not act on (KasmVNC 1.5.1)."""

from __future__ import annotations

_KEYS: dict[str, str] = {
    "desktop": "pixel_depth gpu.hw3d gpu.drinode",
    "network": "protocol udp.public_ip udp.port udp.payload_size udp.stun_server"
    " unix_relay.name unix_relay.path",
    "user_session": "session_type new_session_disconnects_existing_exclusive_session"
    " concurrent_connections_prompt concurrent_connections_prompt_timeout idle_timeout",
    "keyboard": "remap_keys ignore_numlock raw_keyboard",
    "pointer": "enabled game_mode",
    "runtime_configuration": "allow_client_to_override_kasm_server_settings"
    " allow_override_standard_vnc_server_settings allow_override_list",
    "data_loss_prevention": "clipboard.server_to_client.primary_clipboard_enabled",
    "encoding": "full_frame_updates rect_encoding_mode.rectangle_compress_threads"
    " video_encoding_mode.webp_quality video_encoding_mode.logging.level"
    " video_encoding_mode.webp_encoding_time compare_framebuffer"
    " zrle_zlib_level hextile_improved_compression scrolling.detect_vertical_scrolling"
    " scrolling.detect_horizontal_scrolling scrolling.scroll_detect_threshold",
    "server": "advanced.x_font_path auto_shutdown.no_user_session_timeout"
    " auto_shutdown.active_user_session_timeout auto_shutdown.inactive_user_session_timeout"
    " allow_environment_variables_to_override_config_settings",
    "command_line": "prompt",
}

#: In full.
UNSUPPORTED = frozenset(
    f"{section}.{key}" for section, keys in _KEYS.items() for key in keys.split()
)
