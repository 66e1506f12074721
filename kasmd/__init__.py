"""kasmd: a desktop in any browser, for many people at once.

The nouns: a *display* has pixels and takes keys; a *seat* is a display as one
person may use it; a *viewer* is a conversation held from a seat; a *grant* is
the live answer to what that person may do.
"""

__version__ = "0.1.0"
