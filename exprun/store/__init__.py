"""The DVC cache: hashing, objects, links, collecting, checking out, the run cache, remotes.

Everything here is synchronous and safe to call from worker threads. `Store` is the way in.
"""

from exprun.store.cache import Store, StoreConfig
from exprun.store.exchange import RemoteConfig, Transferred
from exprun.store.failures import MissingObjects, NoSpace
from exprun.store.links import DEFAULT_TYPES, LinkType, parse_link_types
from exprun.store.runcache import RunCache
from exprun.store.walk import IgnoreRules

__all__ = [
    "DEFAULT_TYPES",
    "IgnoreRules",
    "LinkType",
    "MissingObjects",
    "NoSpace",
    "RemoteConfig",
    "RunCache",
    "Store",
    "StoreConfig",
    "Transferred",
    "parse_link_types",
]
