"""What routing tables are called (``include/uapi/linux/rtnetlink.h``, enum rt_class_t)."""

_TABLES = {0: "unspec", 253: "default", 254: "main", 255: "local"}


def table_name(table: int) -> str:
    """``main``, ``local``, ``default`` or the number."""
    return _TABLES.get(table, str(table))
